"""The services of docker-compose.yml, as processes on this machine: they find each other."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer
from ruamel.yaml import YAML

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[4]
START_TIMEOUT_S = 240.0  # a guard, no expectation
# The small image has none of these; what only it runs must not want them.
ONLY_FOR_WORKERS = ("torch", "torchvision", "timm", "av", "cv2", "sklearn", "lightning", "ray")
Run = Callable[..., "subprocess.Popen[str]"]


def unused_port() -> int:
    """Return a port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answer(url: str, process: "subprocess.Popen[str]") -> bytes:
    """Wait until a server answers, and return what it said."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                content: bytes = response.read()
            return content
        except OSError:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline
            time.sleep(0.3)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a bucket "artifacts" of a server on this machine, which clients find."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_ENDPOINT_URL_S3", "MLFLOW_S3_ENDPOINT_URL"):
        monkeypatch.setenv(name, f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    yield boto3.resource("s3").create_bucket(Bucket="artifacts")
    server.stop()


@pytest.fixture
def run_service(tmp_path: Path, postgres_server: Any, noop_study: Any) -> Iterator[Run]:
    """Return a function that runs a service's own command; what still runs is ended."""
    noop_study["search"]["tree"] = noop_study["search"]["tree"][:1]
    (tmp_path / "password").write_text("unused: this server trusts its own machine")
    YAML().dump(noop_study, tmp_path / "study.yaml")
    here = {
        "postgresql+psycopg://vision@postgres:5432/visionstudy": postgres_server.address("stack"),
        "/run/secrets/database_password": str(tmp_path / "password"),
        "/studies/quickstart.yaml": str(tmp_path / "study.yaml"),
        "0.0.0.0": "127.0.0.1",
    }
    services = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]
    started: list[subprocess.Popen[str]] = []

    def run(service: str, *more: str) -> "subprocess.Popen[str]":
        words = [here.get(word, word) for word in services[service]["command"]]
        is_small = services[service]["image"] == "visionstudy-services"
        missing = ONLY_FOR_WORKERS if is_small else ()
        code = (
            f"import sys; sys.modules.update(dict.fromkeys({missing}))\n"
            "from studies.cli.app import main; main()"
        )
        with (tmp_path / f"{service}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", code, *words, *more],
                stdout=log,  # no pipe: servers have children that outlive them
                stderr=subprocess.STDOUT,
                text=True,
                cwd=tmp_path,
                start_new_session=True,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "VISIONSTUDY_WORKSPACE": str(tmp_path / "runs"),
                },
            )
        started.append(process)
        return process

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with its children
        process.wait()


def test_stack_runs_a_study_and_shows_it_on_both_pages(
    run_service: Run, bucket: Any, tmp_path: Path
) -> None:
    init = run_service("init")
    assert init.wait(START_TIMEOUT_S) == 0, (tmp_path / "init.log").read_text()
    mlflow_port, dashboard_port = unused_port(), unused_port()
    pages = run_service("mlflow", "--port", str(mlflow_port))
    dashboard = run_service("dashboard", "--port", str(dashboard_port))
    worker = run_service("worker-cpu", "--artifacts", "s3://artifacts/group")
    assert worker.wait(START_TIMEOUT_S) == 0, (tmp_path / "worker-cpu.log").read_text()

    base = f"http://127.0.0.1:{mlflow_port}"
    assert answer(f"{base}/health", pages) == b"OK"
    found = json.loads(
        answer(f"{base}/api/2.0/mlflow/experiments/get-by-name?experiment_name=noop", pages)
    )
    assert found["experiment"]["artifact_location"] == "s3://artifacts/group/noop"
    studies = json.loads(answer(f"http://127.0.0.1:{dashboard_port}/api/studies", dashboard))
    assert [each["study_name"] for each in studies["study_summaries"]] == ["noop / learning rate"]
    stored = {Path(each.key).name for each in bucket.objects.filter(Prefix="group/noop/")}
    assert "report.html" in stored
    assert not list((tmp_path / "runs").glob("*.db"))
