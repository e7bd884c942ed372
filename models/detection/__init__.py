"""Networks that find objects one by one; one file per architecture."""
