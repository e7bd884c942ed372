"""Studies that run are steered from other processes."""

import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from studies.running.retrying import Retry, retry_cells
from studies.running.workspace import WorkspaceFolder, open_ledger
from trackers.records import Outcome

Workshop = Any  # of conftest.py, which cannot be imported
PATIENCE_S = 240


@pytest.mark.slow
def test_a_study_is_stopped_from_elsewhere_and_goes_on_from_its_checkpoints(
    workshop: Callable[..., Workshop], noop_study: dict[str, Any]
) -> None:
    noop_study["model"]["epoch_seconds"] = 0.3
    noop_study["training"]["epochs"] = 1000  # it does not end by itself
    noop_study["search"]["tree"] = noop_study["search"]["tree"][:1]
    shop = workshop(noop_study)
    launch = shop.start()
    _wait_for_epochs(shop, launch)

    said = shop.run("stop", "noop")
    launch.communicate(timeout=PATIENCE_S)

    stopped = shop.record()
    assert launch.returncode == 1
    assert "study 'noop' has stopped: asked by visionstudy stop" in said
    assert stopped.note == "asked by visionstudy stop"
    ended = [cell for cell in stopped.cells.values() if cell.outcome is Outcome.STOPPED]
    assert len(ended) == 2
    assert all(0 < len(cell.epochs) < 1000 for cell in ended)


@pytest.mark.slow
def test_a_cell_is_tried_again_while_its_study_runs(
    workshop: Callable[..., Workshop], noop_study: dict[str, Any]
) -> None:
    noop_study["search"] = {
        "tree": [{"stage": "rate", "vary": {"training.learning_rate": [1e-2, 1e-3]}}],
        "replicates": 2,
    }
    noop_study["model"]["epoch_seconds"] = 0.6
    fault = {"action": "raise", "when": {"learning_rate": 1e-2, "seed": 0}, "attempts": 1}
    noop_study["model"]["faults"] = [fault]
    noop_study["training"]["epochs"] = 10
    shop = workshop(noop_study)
    launch = shop.start()
    failed = _wait_for_failure(shop, launch)

    asked = _retry(shop, failed)
    output, _ = launch.communicate(timeout=PATIENCE_S)

    assert launch.returncode == 0, output
    assert asked.runner.startswith("process ")
    assert "1 cells are tried again, as was asked" in output
    cell = shop.record().cells[failed]
    assert (cell.outcome, len(cell.trials)) == (Outcome.COMPLETE, 2)


def _retry(shop: Workshop, cell: str) -> Retry:
    """Ask as `visionstudy retry` does, at once: it takes a while to start on a busy machine."""
    place = WorkspaceFolder(shop.runs)
    ledger = open_ledger(place)
    try:
        return retry_cells(place, ledger, "noop", [cell])
    finally:
        ledger.close()


def _wait_for_failure(shop: Workshop, launch: "subprocess.Popen[str]") -> str:
    """Wait until a cell failed; return its id."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert launch.poll() is None, launch.communicate()[0]
        if (shop.runs / "workspace.db").exists() and any(shop.trial_folders()):
            for cell in shop.record().cells.values():
                if cell.outcome is Outcome.FAILED:
                    return str(cell.id)
        time.sleep(0.2)
    pytest.fail("no cell failed in time")


def _wait_for_epochs(shop: Workshop, launch: "subprocess.Popen[str]") -> None:
    """Wait until both workers have finished an epoch."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        logs = [folder / "events.jsonl" for folder in shop.trial_folders()]
        begun = [file for file in logs if file.exists() and '"epoch"' in file.read_text()]
        if len(begun) == 2:
            return
        assert launch.poll() is None, launch.communicate()[0]
        time.sleep(0.1)
    pytest.fail("no epoch was finished in time")
