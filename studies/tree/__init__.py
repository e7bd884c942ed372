"""Stages, cells, the ledger and decisions: what was planned, what came of it, who won and why."""
