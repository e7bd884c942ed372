"""Networks that say which action a clip shows; one file per architecture."""
