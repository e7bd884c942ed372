"""What runs, what waits and why, in words: for `status`, `why` and `compare`."""
