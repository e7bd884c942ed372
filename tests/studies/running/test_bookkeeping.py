"""From how trials ended to what the ledger says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.catalog import data_fingerprint
from studies.running.bookkeeping import reap
from studies.spec.schema import StudySpec
from studies.tree.growth import grow
from studies.tree.ledger import Ledger, TrialStart
from trackers.event_log import EventLog
from trackers.records import Outcome


def test_only_losses_in_a_row_use_up_the_tries(workshop: Any, noop_study: Any) -> None:
    noop_study["model"]["faults"] = [
        {"action": "kill", "at_epoch": 1, "attempts": 2},
        {"action": "kill", "at_epoch": 3, "attempts": 5},  # the third one finished two epochs
    ]
    noop_study["search"] = {
        "tree": [{"stage": "rate", "vary": {"training.learning_rate": [1e-2]}}],
    }
    shop = workshop(noop_study)
    shop.launch()
    (cell,) = shop.record().cells.values()

    assert cell.outcome is Outcome.COMPLETE
    assert [trial.outcome for trial in cell.trials] == [Outcome.LOST] * 5 + [Outcome.COMPLETE]


@pytest.mark.parametrize(
    ("kind", "trial", "cell"),
    [
        ("pruned", Outcome.PRUNED, "pruned"),
        ("diverged", Outcome.INFEASIBLE, "infeasible"),
        ("failed", Outcome.FAILED, "failed"),
        ("out_of_memory", Outcome.INFEASIBLE, None),  # again with smaller micro-batches
        ("stopped", Outcome.LOST, None),  # with its coordinator
        ("lost", Outcome.LOST, None),
    ],
)
def test_what_a_trial_said_before_its_coordinator_was_killed_counts(
    tmp_path: Path,
    make_spec: Callable[..., StudySpec],
    *,
    kind: str,
    trial: Outcome,
    cell: str | None,
) -> None:
    spec = make_spec({"stage": "rate", "vary": {"training.learning_rate": [0.1]}})
    ledger = Ledger(tmp_path / "workspace.db")
    ledger.save_study("demo", text="", resolved={}, environment={})
    planned = list(grow(spec, {}, data_fingerprint=data_fingerprint).cells().values())
    ledger.plan("demo", planned, [])
    ledger.start_trial("demo", TrialStart(planned[0].id, 1, "cpu", "here", "trial", 1))
    log = EventLog(tmp_path / "trial" / "events.jsonl")
    log.append("started", pid=1, costs={})
    log.append("ended", kind=kind, message="why", costs={})
    log.close()

    assert reap(ledger, tmp_path, "demo") == 1
    (row,) = ledger.trials("demo")
    assert (row["outcome"], ledger.cell("demo", planned[0].id)["outcome"]) == (trial, cell)
    assert row["next_micro_batch_divisor"] == (2 if kind == "out_of_memory" else 1)
    ledger.close()
