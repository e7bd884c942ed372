"""Cited numbers with their protocol, and whether ours may stand beside them."""

from reports.baselines.citations import (
    Baseline,
    BaselineError,
    Protocol,
    UnknownBaselineError,
    known_names,
    load,
)
from reports.baselines.comparability import Comparability, Verdict, compare_protocols

__all__ = [
    "Baseline",
    "BaselineError",
    "Comparability",
    "Protocol",
    "UnknownBaselineError",
    "Verdict",
    "compare_protocols",
    "known_names",
    "load",
]
