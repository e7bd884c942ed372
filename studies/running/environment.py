"""What a result depends on besides its settings: versions, machine, code."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

import data_pipeline
import models
from studies.running.devices import cpu_count, visible_gpus

PACKAGES = ("visionstudy", "torch", "torchvision", "lightning-fabric", "numpy", "optuna", "mlflow")
SOURCE_PACKAGES = ("models", "data_pipeline")
GIB = 2**30


def describe_environment() -> dict[str, str]:
    """Return name -> value, for the report and the ledger."""
    root = Path(__file__).resolve().parents[2]
    facts = {package: _version(package) for package in PACKAGES}
    facts["python"] = platform.python_version()
    facts["platform"] = platform.platform()
    facts["machine"] = (
        f"{cpu_count()} CPU cores, {psutil.virtual_memory().total / GIB:.0f} GiB memory"
    )
    facts["gpus"] = ", ".join(name for _, name in visible_gpus()) or "none"
    facts["numerics"] = f"models {models.NUMERICS}, data_pipeline {data_pipeline.NUMERICS}"
    facts["git_commit"] = _git_commit(root)
    facts["source_hash"] = source_hash(SOURCE_PACKAGES)
    return facts


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git_commit(root: Path) -> str:
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=True, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return "not a git checkout"
    return done.stdout.strip()


def source_hash(packages: Sequence[str]) -> str:
    """Hash some of our packages, as they lie on this machine, committed or not."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parents[2]
    for package in packages:
        for file in sorted((root / package).rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
