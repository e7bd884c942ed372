"""What to try, and running it. The only importer of Optuna."""
