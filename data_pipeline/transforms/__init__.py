"""Random changes of batches, and normalising: what a study may ask for, and how it is done."""
