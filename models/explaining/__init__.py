"""Looking inside a classifier: where it looked, and what its layers answer to."""
