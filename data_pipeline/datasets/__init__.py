"""One file per format on disk: check it, name its classes, hash it, list its images."""
