"""A run's id leads back to the cell it is of."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from trackers.mlflow_lookup import cell_of_run
from trackers.mlflow_tracker import MlflowTracker
from trackers.records import StudyRecord
from trackers.tracker import CellUpload


@pytest.fixture
def uri(workspace: Path) -> str:
    return f"sqlite:///{workspace}/mlflow.db"


def test_a_cells_run_leads_to_study_and_cell_and_no_other_does(
    tracker: MlflowTracker,
    make_upload: Callable[..., CellUpload],
    make_study: Callable[..., StudyRecord],
    client: MlflowClient,
    uri: str,
) -> None:
    tracker.cell("roads", make_upload("a1"))
    tracker.study(make_study("roads"))
    assert tracker.drain(60)
    experiment = client.get_experiment_by_name("roads")
    assert experiment is not None
    runs = {
        run.data.tags["visionstudy.kind"]: run.info.run_id
        for run in client.search_runs([experiment.experiment_id])
    }

    assert cell_of_run(uri, runs["cell"]) == ("roads", "a1")
    assert cell_of_run(uri, runs["summary"]) is None
    assert cell_of_run(uri, "0" * 32) is None


def test_a_server_that_is_away_is_said(free_port: int) -> None:
    uri = f"http://127.0.0.1:{free_port}"
    with pytest.raises(ConnectionError, match=f"MLflow at {uri} does not answer"):
        cell_of_run(uri, "0" * 32)
