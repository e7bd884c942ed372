"""A secret in the environment is nowhere afterwards: workspace, MLflow, report, output, argv."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from trackers.records import Outcome

Workshop = Any  # of conftest.py, which cannot be imported
CHECKOUT = Path(__file__).resolve().parents[3]
SECRETS = {
    "DATABASE_URL": "postgresql://ann:dAtAbAsE-pw-71@db.example/runs",
    "MLFLOW_TRACKING_USERNAME": "ann",
    "MLFLOW_TRACKING_PASSWORD": "tRaCkInG-pw-72",
    "AWS_ACCESS_KEY_ID": "AKIAPLANTED73",
    "AWS_SECRET_ACCESS_KEY": "aWs-SeCrEt-74",
    "HF_TOKEN": "hf_pLaNtEd75",
}
PLANTED = ("dAtAbAsE-pw-71", "tRaCkInG-pw-72", "AKIAPLANTED73", "aWs-SeCrEt-74", "hf_pLaNtEd75")
# Imported by every Python process: when it fails, the scripted trainer quotes the environment.
TALKATIVE = """
import os
import models.noop as noop
before = noop._strike
def strike(*arguments):
    print("connecting with", dict(os.environ), flush=True)
    try:
        before(*arguments)
    except RuntimeError as error:
        raise RuntimeError(f"cannot reach {os.environ['DATABASE_URL']}: {os.environ}") from error
noop._strike = strike
"""


@pytest.mark.slow
def test_no_secret_is_left_of_a_study_whose_trials_quote_them(
    workshop: Callable[..., Workshop], noop_study: dict[str, Any], tmp_path: Path
) -> None:
    noop_study["model"]["faults"] = [
        {"action": "raise", "when": {"learning_rate": 1e-2}},
        {"action": "kill", "when": {"learning_rate": 1e-3, "seed": 0}, "attempts": 1},
    ]
    noop_study["model"]["epoch_seconds"] = 0.1
    noop_study["search"]["tree"] = noop_study["search"]["tree"][:1]
    shop = workshop(noop_study)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(TALKATIVE)

    output, arguments = _launch(shop, site)

    outcomes = sorted(str(cell.outcome) for cell in shop.record().cells.values())
    assert outcomes == ["complete", "complete", "failed", "failed"]
    (killed,) = [
        trial
        for cell in shop.record().cells.values()
        for trial in cell.trials
        if trial.outcome is Outcome.LOST
    ]
    assert "connecting with" in (shop.runs / killed.folder / "output.log").read_text()
    assert "cannot reach postgresql://ann:***@db.example/runs" in output
    assert _found(output.encode()) == []
    assert _found(arguments.encode()) == []
    left = {
        str(file): _found(file.read_bytes()) for file in shop.runs.rglob("*") if file.is_file()
    }
    assert {file: found for file, found in left.items() if found} == {}


def _launch(shop: Workshop, site: Path) -> tuple[str, str]:
    """Run the study; return what it printed, and the command lines that any user could see."""
    environ = {**os.environ, **SECRETS, "PYTHONPATH": f"{site}:{CHECKOUT}"}
    launch = subprocess.Popen(
        shop.command("launch", str(shop.file), "--workers", "2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=shop.folder,
        env=environ,
    )
    seen: set[str] = set()
    try:
        while launch.poll() is None:
            seen |= _command_lines(launch.pid)
            time.sleep(0.2)
    finally:
        launch.kill()
    output, _ = launch.communicate()
    assert any("forkserver" in line for line in seen), output
    return output, "\n".join(seen)


def _command_lines(pid: int) -> set[str]:
    lines = set()
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            lines.add(" ".join(process.cmdline()))
    except psutil.Error:  # it ended meanwhile
        pass
    return lines


def _found(content: bytes) -> list[str]:
    return [secret for secret in PLANTED if secret.encode() in content]
