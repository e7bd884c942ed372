"""Cited numbers with their protocol, and whether ours may stand beside them."""

from reports.baselines.citation_files import (
    BaselineError,
    BaselineFileError,
    UnknownBaselineError,
)
from reports.baselines.citations import Baseline, Place, Protocol, Verification
from reports.baselines.comparability import Comparability, Standing, compare_protocols
from reports.baselines.registry import every_baseline, known_names, known_tasks, load

__all__ = [
    "Baseline",
    "BaselineError",
    "BaselineFileError",
    "Comparability",
    "Place",
    "Protocol",
    "Standing",
    "UnknownBaselineError",
    "Verification",
    "compare_protocols",
    "every_baseline",
    "known_names",
    "known_tasks",
    "load",
]
