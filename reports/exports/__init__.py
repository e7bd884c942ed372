"""A report elsewhere than in a browser: CSV, Markdown, LaTeX, pictures and PDF."""
