"""Score boxes that any tool found against any ground truth."""
