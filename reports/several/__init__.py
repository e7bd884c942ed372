"""Several studies on one page: what each asked, found and took, and whether that compares."""
