"""What the trials of a cell measured, read from their event logs: curve and facts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from studies.spec.schema import StudySpec
from studies.tree.cell_history import CellHistory, read_history
from studies.tree.ledger import Ledger

HOUR_S = 3600
MB_PER_GB = 1024
# Fact -> what trials call it when they read it back from the live network.
READ_BACK = {
    "parameters": "parameters",
    "macs": "macs_per_image",
    "latency_ms": "latency_ms",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What a cell's trials reported, whatever came of them."""

    epochs: int  # finished, over all attempts
    curve: Mapping[int, float]  # epoch -> objective
    facts: Mapping[str, float]  # of `FACTS`; those that were measured


def read_measured(history: CellHistory, objective: str) -> Measured:
    """Read a cell's logs.

    Args:
        history: Of all attempts.
        objective: The study's metric, e.g. "val/iou".
    """
    epochs = history.in_order()
    facts = {
        fact: float(history.effective[name])
        for fact, name in READ_BACK.items()
        if history.effective.get(name) is not None
    }
    if epochs:
        peak_mb = max(each.metrics.get("peak_memory_mb", 0.0) for each in epochs)
        facts["memory_gb"] = peak_mb / MB_PER_GB
        facts["train_hours"] = epochs[-1].wall_s / HOUR_S
    curve = {each.epoch: each.metrics[objective] for each in epochs if objective in each.metrics}
    return Measured(epochs=len(epochs), curve=curve, facts=facts)


def measured_by(ledger: Ledger, workspace: Path, spec: StudySpec) -> Callable[[str], Measured]:
    """Return what reads the logs of a study's cell."""

    def read(cell: str) -> Measured:
        return read_cell(ledger, workspace, spec.study, cell=cell, metric=spec.objective.metric)

    return read


def read_cell(ledger: Ledger, workspace: Path, study: str, *, cell: str, metric: str) -> Measured:
    """Read what a cell's trials wrote so far.

    Args:
        ledger: That names their folders.
        workspace: What these are relative to.
        study: The cell's.
        cell: Its id.
        metric: The objective, e.g. "val/iou".
    """
    trials = ledger.trials(study, cell)
    return read_measured(read_history(workspace / each["folder"] for each in trials), metric)
