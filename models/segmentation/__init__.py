"""Networks that give every pixel a class; one file per architecture."""
