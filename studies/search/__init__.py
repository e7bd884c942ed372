"""Optuna: from a stage's lists and ranges to proposals, and results back to Optuna."""
