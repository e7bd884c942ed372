"""However many workers and whichever database: exactly as many trials as were asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studies.running.workspace import WorkspaceFolder, open_ledger

WORKERS = 4
TRIALS = 16


@pytest.fixture(params=["files", pytest.param("server", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> WorkspaceFolder:
    """Return an empty workspace; each test runs on every kind."""
    if request.param == "files":
        return WorkspaceFolder(tmp_path / "runs")
    build: Callable[[Path], WorkspaceFolder] = request.getfixturevalue("on_server")
    return build(tmp_path / "runs")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_four_workers_run_exactly_as_many_trials_as_were_asked_for(
    place: WorkspaceFolder, launch_here: Any, noop_study: dict[str, Any]
) -> None:
    space = {"training.learning_rate": {"low": 1e-5, "high": 1e-1, "log": True}}
    noop_study["search"] = {"joint": {"space": space, "sampler": "random", "trials": TRIALS}}
    noop_study["weights"] = "none"
    noop_study["training"]["epochs"] = 1
    result = launch_here(noop_study, place, workers=WORKERS)
    ledger = open_ledger(place)
    trials, proposals = ledger.trials("noop"), ledger.proposals("noop")
    ledger.close()

    assert result.end.is_finished
    assert len({trial["cell"] for trial in trials}) == len(trials) == TRIALS
    assert {trial["outcome"] for trial in trials} == {"complete"}
    assert [len(each) for each in proposals.values()] == [TRIALS]
