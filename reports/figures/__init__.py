"""Figures: each module computes a record and draws it."""
