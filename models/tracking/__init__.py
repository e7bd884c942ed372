"""Follow objects from frame to frame: boxes of a detector in, boxes with identities out."""
