"""Fixtures of the whole test run."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

# Before torch is imported anywhere: tests train tiny networks, several at a time.
os.environ.setdefault("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1)))

import pytest

NO_REAL_DATA = "real images are not here: VISIONSTUDY_REAL_DATA names no folder and"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the real data pack, or skip loudly where there is none."""
    named = os.environ.get("VISIONSTUDY_REAL_DATA")
    if named:
        if not Path(named).is_dir():
            pytest.fail(f"VISIONSTUDY_REAL_DATA must name a folder; got {named!r}")
        return Path(named)
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not beside.is_dir():
        pytest.skip(f"{NO_REAL_DATA} ../shared/data beside the checkout does not exist")
    return beside


@pytest.fixture(scope="session", autouse=True)
def _workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep results and caches out of the checkout; a test that needs its own sets it again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
        yield


@pytest.fixture
def free_port() -> int:
    """Return a TCP port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that hold slow tests: no process is to be left with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests did not run for lack of real data."""
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(NO_REAL_DATA in str(report.longrepr) for report in skipped)
    if count:
        terminalreporter.write_line(
            f"{count} tests on real data were skipped; set VISIONSTUDY_REAL_DATA to run them",
            yellow=True,
        )
