"""Show where a study's classifier looked in a picture, and what its layers answer to."""
