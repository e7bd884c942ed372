"""Fixtures of the whole test run."""

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

# Before torch is imported anywhere: tests train tiny networks, several at a time.
os.environ.setdefault("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1)))

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

POSTGRES_PROGRAMS = Path("/usr/lib/postgresql")  # Debian's, by version
POSTGRES_SETTINGS = "fsync=off full_page_writes=off max_connections=100"
POSTGRES_ACCESS = """
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
_databases = itertools.count(1)
NO_GPU = "this test needs an NVIDIA GPU, and torch sees none"
NO_REAL_DATA = "real images are not here: VISIONSTUDY_REAL_DATA names no folder and"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests of a GPU loudly where there is none; `pytest -m gpu` selects them."""
    if item.get_closest_marker("gpu") is not None:
        import torch  # heavy, and only tests that are not run by default need it here

        if not torch.cuda.is_available():
            pytest.skip(NO_GPU)


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


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Return a real browser, or skip loudly where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium on this machine: install Debian's chromium to test pages")
    from playwright.sync_api import sync_playwright  # only tests of pages need it

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield launched
        launched.close()


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


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A PostgreSQL server on the loopback interface; user "guarded" would need a password."""

    programs: Path
    data: Path
    port: int

    def address(self, database: str, user: str = "postgres") -> str:
        """Return the address of a database that need not exist."""
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Create an empty database and return its address."""
        name = f"made_{next(_databases)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def execute(self, statement: str) -> None:
        """Run a statement of SQL as an administrator."""
        # Lazy: an optional package.
        import psycopg

        place = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"
        with psycopg.connect(place, autocommit=True) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = [part for each in POSTGRES_SETTINGS.split() for part in ("-c", each)]
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k '' {' '.join(settings)}"
        self.run("pg_ctl", "start", "-w", "-l", f"{self.data}.log", "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; "immediate" is as a crash."""
        self.run("pg_ctl", "stop", "-w", "-m", mode)

    def restart(self) -> None:
        """Crash it and start it again."""
        self.stop()
        self.start()

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs on its data, not as root: it refuses that."""
        subprocess.run(
            [self.programs / program, "-D", self.data, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,  # a server that inherits a pipe keeps it open
            stderr=subprocess.DEVNULL,
            user="postgres" if os.getuid() == 0 else None,
            cwd=self.data.parent,
        )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Return a fresh PostgreSQL server, or skip loudly where it is not installed."""
    installed = sorted(POSTGRES_PROGRAMS.glob("*/bin/initdb"))
    if not installed:
        pytest.skip(f"PostgreSQL is not installed: no {POSTGRES_PROGRAMS}/*/bin/initdb")
    # Not below pytest's own folder, which another user must not enter.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if os.getuid() == 0:
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = PostgresServer(installed[-1].parent, folder / "data", port)
    server.run("initdb", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "-N")
    (server.data / "pg_hba.conf").write_text(POSTGRES_ACCESS)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


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
