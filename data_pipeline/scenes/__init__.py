"""Drawing of street scenes; pixels and masks only, no files."""
