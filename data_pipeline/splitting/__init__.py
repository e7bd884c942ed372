"""Which image is for training, validation and test, and what a choice of split does to scores."""
