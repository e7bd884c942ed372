"""One file per task: batch and model to losses; outputs to predictions to metrics."""
