"""Records become numbers, numbers become figures, and both one HTML file."""
