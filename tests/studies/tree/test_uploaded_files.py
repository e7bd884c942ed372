"""What a cell's run in the tracker is given of the files that its trials kept."""

from collections.abc import Callable
from pathlib import Path

from studies.running.uploads import UploadDesk
from studies.spec.schema import StudySpec
from studies.tree.grown import Tree
from studies.tree.ledger import CellEnd, Ledger, TrialEnd, TrialStart
from trackers.event_log import EventLog
from trackers.records import Outcome

PlanIn = Callable[..., Tree]


def leave(folder: Path, files: dict[str, str]) -> None:
    """Leave an event log that names files, and the files."""
    log = EventLog(folder / "events.jsonl")
    log.append("finished", files=files)
    log.close()
    for name in files.values():
        (folder / name).write_bytes(b"content")


def test_a_run_holds_the_logs_and_every_file_but_the_weights(
    tmp_path: Path, ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    tree = plan_in(ledger, spec)
    cell = next(iter(tree.cells()))
    ledger.start_trial("demo", TrialStart(cell, 1, "cpu", "here", "trial", 1))
    leave(
        tmp_path / "trial",
        {
            "weights": "best-1.pt",
            "predictions_val": "predictions_val.npz",
            "predictions_strip": "predictions_strip.png",
            "curves_val": "curves_val.json",
        },
    )
    ledger.end_trial("demo", TrialEnd(cell, 1, Outcome.COMPLETE, "", False, 0, 1, {}))
    ledger.settle("demo", CellEnd(cell, Outcome.COMPLETE, "", {"val/iou": 0.5}, 1, 1.0, 1.0))
    leave(tmp_path / "looked", {"curves_test": "curves_test.json"})
    ledger.save_test_score("demo", cell, outcome=Outcome.COMPLETE, reason="", folder="looked")

    desk = UploadDesk(spec, ledger, tmp_path)
    desk.follow(tree)
    sent = desk.snapshot(cell, with_weights=True)

    assert {artifact.name for artifact in sent.artifacts} == {
        "events.jsonl",
        "predictions/curves_test.json",
        "predictions/curves_val.json",
        "predictions/strip.png",
        "predictions/val.npz",
    }
    assert all(artifact.path.is_file() for artifact in sent.artifacts)
    assert sent.weights == tmp_path / "trial" / "best-1.pt"
