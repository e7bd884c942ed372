"""From predictions to numbers; one file per task."""
