"""What is wrong with the files and annotations of a dataset, found by decoding all of it."""
