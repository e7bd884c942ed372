"""Settings of the datasets we ship, by family; torch-free, for the catalog is light."""
