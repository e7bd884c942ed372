"""Every way a trial can go wrong has its outcome, and none of them is scored."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trackers.records import CellRecord, Outcome, StudyRecord

pytestmark = pytest.mark.slow

RATES = [1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4]


def fault(action: str, rate: float, **more: Any) -> dict[str, Any]:
    """Return a fault of the cells with a learning rate."""
    return {"action": action, "when": {"learning_rate": rate}, "at_epoch": 2, **more}


@pytest.fixture
def faulty_study(noop_study: dict[str, Any]) -> dict[str, Any]:
    """Return a study in which five of six configurations go wrong, each in its own way."""
    noop_study["model"]["faults"] = [
        fault("raise", 1e-1),
        fault("oom", 3e-2),
        fault("nan", 1e-2),
        fault("hang", 3e-3),
        fault("exit", 3e-4, code=139),
    ]
    noop_study["budget"] = {"per_trial": {"silence": "3s"}}
    noop_study["search"] = {
        "tree": [{"stage": "learning rate", "vary": {"training.learning_rate": RATES}}]
    }
    return noop_study


def by_rate(record: StudyRecord) -> dict[float, CellRecord]:
    """Return the cells of a study by their learning rate."""
    return {
        float(str(cell.settings["training.learning_rate"])): cell for cell in record.cells.values()
    }


def test_each_fault_has_its_outcome_and_none_is_scored(workshop: Any, faulty_study: Any) -> None:
    shop = workshop(faulty_study)
    shop.launch()
    record = shop.record()
    cells = by_rate(record)

    assert record.is_finished
    assert {rate: cell.outcome for rate, cell in cells.items()} == {
        1e-1: Outcome.FAILED,
        3e-2: Outcome.INFEASIBLE,
        1e-2: Outcome.INFEASIBLE,
        3e-3: Outcome.STOPPED,
        1e-3: Outcome.COMPLETE,
        3e-4: Outcome.LOST,
    }
    assert all(bool(cell.metrics) == (rate == 1e-3) for rate, cell in cells.items())
    assert "out of memory at micro-batch 1" in cells[3e-2].reason
    assert "hung" in cells[3e-3].reason
    assert "139 (SIGSEGV)" in cells[3e-4].reason
    assert len(cells[3e-2].trials) == 2  # batch 2, then micro-batch 1
    assert len(cells[3e-4].trials) == 4 + 1  # the first one finished an epoch, then 4 in a row
    (decision,) = record.stages[0].decisions
    assert [bool(each.values) for each in decision.candidates] == [rate == 1e-3 for rate in RATES]
    report = (shop.runs / "studies" / "noop" / "report.html").read_text()
    for outcome in ("failed", "infeasible", "stopped", "lost", "complete"):
        assert outcome in report


def test_relaunch_tries_again_what_failed_and_leaves_the_infeasible(
    workshop: Any, faulty_study: Any
) -> None:
    for each in faulty_study["model"]["faults"]:
        if each["action"] in ("raise", "hang", "exit"):
            each["attempts"] = 1
    faulty_study["model"]["faults"][-1]["attempts"] = 5
    shop = workshop(faulty_study)
    shop.launch()
    first = by_rate(shop.record())
    shop.launch()
    second = by_rate(shop.record())

    assert {rate for rate in RATES if first[rate].outcome is Outcome.COMPLETE} == {1e-3}
    assert {rate for rate in RATES if second[rate].outcome is Outcome.COMPLETE} == {
        1e-1,
        3e-3,
        1e-3,
        3e-4,
    }
    assert len(second[1e-3].trials) == 1
    assert second[3e-2].trials == first[3e-2].trials


def test_memory_that_holds_a_smaller_micro_batch_completes_the_cell(
    workshop: Any, noop_study: Any
) -> None:
    noop_study["training"]["batch_size"] = 8
    noop_study["model"]["faults"] = [{"action": "oom", "fits_micro_batch": 2}]
    noop_study["search"]["tree"] = noop_study["search"]["tree"][:1]
    shop = workshop(noop_study)
    shop.launch()

    for cell in shop.record().cells.values():
        assert cell.outcome is Outcome.COMPLETE
        assert [trial.outcome for trial in cell.trials] == [
            Outcome.INFEASIBLE,
            Outcome.INFEASIBLE,
            Outcome.COMPLETE,
        ]


def test_three_cells_failing_alike_stop_the_study_with_the_traceback(
    workshop: Any, noop_study: Any
) -> None:
    noop_study["model"]["faults"] = [{"action": "raise"}]
    shop = workshop(noop_study)
    output = shop.launch(exit_code=1)
    record = shop.record()

    assert "Traceback" in output
    assert "3 cells failed alike" in record.note
    assert not record.is_finished
    assert sum(bool(stage.decisions) for stage in record.stages) == 0


def test_epoch_budget_stops_the_study_and_a_larger_one_goes_on(
    workshop: Any, noop_study: Any
) -> None:
    noop_study["budget"] = {"study": {"epochs": 6}}
    noop_study["model"]["epoch_seconds"] = 0.2
    shop = workshop(noop_study)
    shop.launch(exit_code=1)
    stopped = shop.record()
    shop.launch("--set", "budget.study.epochs=1000")
    finished = shop.record()

    assert "budget.study.epochs" in stopped.note
    assert None in {cell.outcome for cell in stopped.cells.values()}
    assert finished.is_finished


def test_changed_objective_is_refused_with_the_difference(finished: Any) -> None:
    output = finished.launch("--set", "objective.metric=val/dice", exit_code=2)

    assert "objective.metric" in output
    assert "val/iou" in output
    assert "val/dice" in output
    assert "--as NEW_NAME" in output


def test_added_seed_trains_only_the_new_cells(finished: Any) -> None:
    before = finished.record()
    finished.launch("--set", "search.replicates=3")
    after = finished.record()

    assert after.is_finished
    assert {cell.seed for cell in after.cells.values()} == {0, 1, 2}
    for cell in before.cells.values():
        assert after.cells[cell.id].trials == cell.trials


def test_status_and_plan_print_documented_json(finished: Any) -> None:
    status = json.loads(finished.run("status", "noop", "--json"))
    plan = json.loads(finished.run("plan", str(finished.file), "--json"))

    for cell in status["cells"]:
        assert cell["outcome"] == "complete"
        assert cell["metrics"]["val/iou"] > 0
        assert cell["attempts"] == (0 if cell["epochs"] == 0 else 1)
    assert plan["epochs"] == 0
    assert {cell["id"] for cell in plan["cells"]} == {cell["id"] for cell in status["cells"]}


def test_missing_predictions_fail_the_cell_that_needs_them(finished: Any, noop_study: Any) -> None:
    for file in finished.runs.glob("studies/noop/trials/*/predictions_val.npz"):
        file.unlink()
    noop_study["search"]["tree"][2]["vary"]["evaluation.threshold"].append(0.8)
    finished.write(noop_study)
    finished.launch()
    added = [
        cell
        for cell in finished.record().cells.values()
        if cell.settings["evaluation.threshold"] == 0.8
    ]

    assert [cell.outcome for cell in added] == [Outcome.FAILED, Outcome.FAILED]
    assert all("saved predictions are missing" in cell.reason for cell in added)


def test_damaged_optuna_copy_is_rebuilt_from_the_ledger(finished: Any) -> None:
    (finished.runs / "optuna.db").write_bytes(b"not a database" * 100)
    finished.launch("--set", "search.replicates=3")

    assert finished.record().is_finished
    assert (finished.runs / "optuna.damaged").exists()


def test_halved_micro_batch_survives_a_stop(workshop: Any, noop_study: Any) -> None:
    noop_study["training"]["batch_size"] = 4
    noop_study["search"] = {
        "tree": [{"stage": "rate", "vary": {"training.learning_rate": [1e-2]}}],
    }
    noop_study["model"]["faults"] = [
        {"action": "oom", "fits_micro_batch": 2, "at_epoch": 1},
        {"action": "hang", "at_epoch": 2, "attempts": 2},
    ]
    noop_study["budget"] = {"per_trial": {"silence": "2s"}}
    shop = workshop(noop_study)
    shop.launch(exit_code=1)
    shop.launch()
    (cell,) = shop.record().cells.values()

    assert [trial.outcome for trial in cell.trials] == [
        Outcome.INFEASIBLE,
        Outcome.STOPPED,
        Outcome.COMPLETE,
    ]


def test_changed_data_is_refused_instead_of_training_everything_again(
    workshop: Any, noop_study: Any, tmp_path: Path
) -> None:
    lists = tmp_path / "camvid"
    for split in ("train", "val"):
        for folder in (split, f"{split}annot"):
            (lists / folder).mkdir(parents=True)
            cv2.imwrite(str(lists / folder / "a.png"), np.zeros((8, 8), np.uint8))
        (lists / f"{split}.txt").write_text(f"{split}/a.png {split}annot/a.png\n")
    noop_study["data"] = {"dataset": "camvid", "root": str(lists)}
    shop = workshop(noop_study)
    shop.launch()
    (lists / "train.txt").write_text("train/a.png trainannot/a.png\n" * 2)
    output = shop.launch(exit_code=2)

    assert "(data fingerprint)" in output
