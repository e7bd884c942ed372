"""The MLflow server that shows a workspace, and links into its pages.

subprocess.Popen(server_command(workspace, port=5000), env=server_environment())
wait_until_healthy("http://127.0.0.1:5000", timeout_s=120)
"""

import ipaddress
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlencode

from trackers.mlflow_client import CLIENT_ENVIRONMENT, mlflow_client
from trackers.mlflow_tracker import SQLITE, database_file
from trackers.run_facts import TAG

DATABASE_NAME = "mlflow.db"
ARTIFACTS_NAME = "artifacts"
# Loopback names with and without a port: the server answers 403 to any other Host header.
ALLOWED_HOSTS = "localhost,localhost:*,127.0.0.1,127.0.0.1:*,[::1],[::1]:*"
# Without it the UI opens in its mode for language models, where runs have no curves.
_WORKFLOW = "workflowType=machine_learning"
VIEW_KEY = "visionstudy"  # of the view of its runs that a study's experiment brings along
VIEW_TAG = f"mlflow.sharedViewState.{VIEW_KEY}"


def workspace_uri(workspace: Path) -> str:
    """Return the address of a workspace's own MLflow database."""
    return f"{SQLITE}{(workspace / DATABASE_NAME).resolve()}"


def server_command(
    workspace: Path,
    *,
    tracking_uri: str | None = None,
    host: str = "127.0.0.1",
    port: int = 5000,
) -> list[str]:
    """Return the command that serves a workspace; its database must exist by then.

    The server reads the artifacts of studies from the folders that their experiments name, and
    keeps those of experiments created by way of the server in the same place.

    Args:
        workspace: Its folder.
        tracking_uri: Its MLflow database, without a password; None: the file in it.
        host: Interface to listen on.
        port: Port to listen on.
    """
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--backend-store-uri", tracking_uri or workspace_uri(workspace)),
        *("--artifacts-destination", (workspace / ARTIFACTS_NAME).resolve().as_uri()),
        "--serve-artifacts",
        *("--host", host, "--port", str(port), "--workers", "1"),
    ]


def server_environment(host: str = "127.0.0.1") -> dict[str, str]:
    """Return the whole environment for `server_command`; what is set already wins.

    Args:
        host: Interface that the server listens on; on others than loopback, it also answers
            to this machine's name.
    """
    names = [] if is_loopback(host) else [host, socket.gethostname()]
    allowed = [ALLOWED_HOSTS, *(f"{name},{name}:*" for name in names)]
    return {
        **CLIENT_ENVIRONMENT,
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(allowed),
        # Eight more processes, for features that need a language model.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        **os.environ,
    }


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches what listens on a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def wait_until_healthy(url: str, timeout_s: float) -> None:
    """Wait until a server answers; it takes some 20 seconds to start.

    Raises:
        TimeoutError: it did not answer in time.
    """
    end = time.monotonic() + timeout_s
    while not _is_healthy(url):
        if time.monotonic() > end:
            raise TimeoutError(
                f"the MLflow server must answer at {url}/health, and has not for {timeout_s:g} s; "
                "see what it printed, or try another port"
            )
        time.sleep(0.2)


def study_url(base: str, experiment_id: str) -> str:
    """Return the page with a study's runs and their curves.

    Args:
        base: address of the server; "" for a path that begins with "/".
        experiment_id: MLflow's id of the study's experiment.
    """
    return (
        f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs?{_WORKFLOW}&compareRunsMode=CHART"
    )


def best_first_url(base: str, experiment_id: str) -> str:
    """Return the page with a study's runs, the best one first; `base` as in `study_url`."""
    return (
        f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs?{_WORKFLOW}"
        f"&viewStateShareKey={VIEW_KEY}"
    )


def curves_url(experiment_id: str, run_ids: Sequence[str], metric: str) -> str:
    """Return the page with one metric's curves of some runs, linked from MLflow's own pages."""
    asked = {
        "runs": run_ids,
        "metric": metric,
        "experiments": [experiment_id],
        "plot_metric_keys": [metric],
        "plot_layout": {},
        "deselected_curves": [],
        "last_linear_y_axis_range": [],
    }
    written = {key: json.dumps(value) for key, value in asked.items()}
    plain = {
        "x_axis": "step",
        "y_axis_scale": "linear",
        "line_smoothness": 1,
        "show_point": "true",
    }
    return f"#/metric?{urlencode(written | plain, quote_via=quote)}&{_WORKFLOW}"


def report_url(experiment_id: str, run_id: str) -> str:
    """Return the page that shows the report of a summary run, linked like `curves_url`."""
    page = f"#/experiments/{experiment_id}/runs/{run_id}"
    return f"{page}/artifacts/report.html?{_WORKFLOW}"


def run_url(base: str, experiment_id: str, run_id: str) -> str:
    """Return the page of one run; `base` as in `study_url`."""
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}?{_WORKFLOW}"


def experiment_links(tracking_uri: str) -> list[tuple[str, str]]:
    """Return every study that MLflow holds with the path of its page, in order of name."""
    if _is_missing(tracking_uri):
        return []
    found = mlflow_client(tracking_uri).search_experiments()
    studies = [each for each in found if f"{TAG}study" in each.tags]
    return sorted(
        (
            each.name,
            (best_first_url if VIEW_TAG in each.tags else study_url)("", each.experiment_id),
        )
        for each in studies
    )


def _is_missing(tracking_uri: str) -> bool:
    """Return whether a database is not there; a client would create it."""
    file = database_file(tracking_uri)
    return file is not None and not file.exists()


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
