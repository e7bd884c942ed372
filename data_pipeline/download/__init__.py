"""Public datasets from their own servers, or from a mirror, to a folder that a reader opens."""
