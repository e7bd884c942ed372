"""Score what any tool predicted, from files."""
