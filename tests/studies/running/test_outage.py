"""MLflow may be down for a whole study; afterwards it holds the same as if it had been up."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from trackers.mlflow_client import mlflow_client
from trackers.mlflow_server import (
    server_command,
    server_environment,
    wait_until_healthy,
    workspace_uri,
)

SERVER_TIMEOUT_S = 180
# Moments, machines and ids, which two runs of one study cannot share.
OF_THE_MOMENT = (
    "seconds",
    "images_per_s",
    "peak_memory_mb",
    "epoch_seconds",
    "wall_s",
    "device_s",
)


@contextmanager
def serving(workspace: Path, port: int) -> Iterator[str]:
    """Serve a workspace's MLflow database."""
    server = subprocess.Popen(
        server_command(workspace, port=port),
        env=server_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        base = f"http://127.0.0.1:{port}"
        wait_until_healthy(base, SERVER_TIMEOUT_S)
        yield base
    finally:
        server.terminate()
        server.wait()


def contents(tracking_uri: str, study: str) -> dict[str, Any]:
    """Return what MLflow holds of a study's cells, without ids and moments."""
    client = mlflow_client(tracking_uri)
    experiment = client.get_experiment_by_name(study)
    assert experiment is not None
    found = {}
    for run in client.search_runs([experiment.experiment_id], "tags.`visionstudy.kind` = 'cell'"):
        histories = {
            name: [
                (each.step, each.value)
                for each in client.get_metric_history(run.info.run_id, name)
            ]
            for name in run.data.metrics
            if not any(part in name for part in OF_THE_MOMENT)
        }
        tags = run.data.tags
        found[tags["visionstudy.cell"]] = {
            "status": run.info.status,
            "params": run.data.params,
            "metrics": histories,
            "tags": {
                key: tags[key]
                for key in tags
                if key.split(".")[-1] in ("stage", "outcome", "seed", "attempts")
            },
            "artifacts": sorted(each.path for each in client.list_artifacts(run.info.run_id)),
        }
    return found


@pytest.mark.slow
def test_sync_after_an_outage_leaves_mlflow_as_an_undisturbed_run_does(
    workshop: Any, noop_study: Any, free_port: int
) -> None:
    undisturbed, disturbed = workshop(noop_study), workshop(noop_study)
    undisturbed.launch()
    base = f"http://127.0.0.1:{free_port}"
    output = disturbed.launch("--tracking-uri", base)
    assert "MLflow is behind; later: visionstudy sync" in output

    with serving(disturbed.runs, free_port) as address:
        disturbed.run("sync", str(disturbed.file), "--tracking-uri", address)
        after_sync = contents(address, "noop")
        disturbed.run("sync", str(disturbed.file), "--tracking-uri", address)
        assert contents(address, "noop") == after_sync

    assert after_sync == contents(workspace_uri(undisturbed.runs), "noop")
    assert len(after_sync) == len(disturbed.record().cells)
