"""What a soaked study stands on: a workspace on a small disk, and a tracking server.

Everything is started here and nothing is left behind.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.soak.postgres import Postgres
from studies.running.workspace import open_workspace
from trackers.mlflow_database import prepare_database
from trackers.mlflow_server import server_command, server_environment, wait_until_healthy

CHECKOUT = Path(__file__).resolve().parents[2]
DISK = "256m"
SERVER_START_S = 180.0
STUDY = "soak"
CLI = (sys.executable, "-c", "from studies.cli.app import main; main()")


@dataclass(slots=True)
class Ground:
    """A workspace with its study file, its servers and the launches in it."""

    folder: Path
    executor: str
    workers: int
    postgres: Postgres | None  # None: databases are files of the workspace
    is_small_disk: bool = False
    launches: int = 0
    launch: subprocess.Popen[bytes] | None = None
    server: subprocess.Popen[bytes] | None = None
    port: int = 0
    server_back_at: float | None = None  # monotonic seconds; None: it is not away
    log: list[str] = field(default_factory=list)

    @property
    def runs(self) -> Path:
        """The workspace."""
        return self.folder / "runs"

    @property
    def study_file(self) -> Path:
        """The study that is launched."""
        return self.folder / "study.yaml"

    @property
    def clock_file(self) -> Path:
        """What shifts the clock of every process, in seconds."""
        return self.folder / "clock"

    def prepare(self, study: dict[str, Any]) -> None:
        """Make the workspace, on a disk of its own where that is allowed, and its databases."""
        self.runs.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(self.runs)]
        self.is_small_disk = (
            os.geteuid() == 0 and subprocess.run(mount, check=False).returncode == 0
        )
        YAML().dump(study, self.study_file)
        self.clock_file.write_text("0")
        if self.postgres is None:
            prepare_database(self.runs / "mlflow.db")
        else:
            address = self.postgres.address(f"soak_{self.folder.name}")
            arguments = ("--database", address, "--workspace", str(self.runs))
            subprocess.run([*CLI, "init", *arguments], check=True, env=self.environment())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def close(self) -> None:
        """End what runs, and give the disk back."""
        if self.launch is not None and self.launch.poll() is None:
            self.launch.kill()
            self.launch.wait()
        self.stop_server()
        for pid in self.trials().values():
            self.send(pid, signal.SIGKILL)
        if self.is_small_disk:
            subprocess.run(["umount", "--lazy", str(self.runs)], check=False)

    def start_server(self) -> None:
        """Start the tracking server; it answers some 20 s later."""
        if self.server is None:
            self.server = subprocess.Popen(
                server_command(self.runs, tracking_uri=self.backend_uri, port=self.port),
                env=server_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.server_back_at = None

    def revive_server(self) -> None:
        """Start the tracking server anew once its outage is over."""
        if self.server_back_at is not None and time.monotonic() >= self.server_back_at:
            self.start_server()

    def bring_server_back(self) -> None:
        """Have the tracking server answer."""
        self.start_server()
        wait_until_healthy(self.tracking_uri, SERVER_START_S)

    def stop_server(self) -> None:
        """Kill the tracking server with its workers."""
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()
            self.server = None

    @property
    def tracking_uri(self) -> str:
        """Where trials are sent."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def backend_uri(self) -> str:
        """Where the tracking server keeps them."""
        return open_workspace(self.runs).tracking_uri()

    def start_launch(self) -> None:
        """Launch the study, or what is left of it."""
        self.launches += 1
        output = (self.folder / f"launch-{self.launches}.log").open("wb")
        arguments = ("--workers", str(self.workers), "--executor", self.executor)
        self.launch = subprocess.Popen(
            self.command("launch", *arguments),
            stdout=output,
            stderr=output,
            env=self.environment(),
        )
        output.close()

    def sync(self) -> None:
        """Bring MLflow up to date."""
        subprocess.run(self.command("sync"), check=True, env=self.environment())

    def command(self, verb: str, *arguments: str) -> list[str]:
        """Return a command line about the study."""
        place = ("--workspace", str(self.runs), "--tracking-uri", self.tracking_uri)
        return [*CLI, verb, str(self.study_file), *arguments, *place]

    def environment(self) -> dict[str, str]:
        """Return the environment of a launch, whose clock can be shifted."""
        path = os.pathsep.join([str(Path(__file__).parent / "clock"), str(CHECKOUT)])
        return {**os.environ, "PYTHONPATH": path, "SOAK_CLOCK_FILE": str(self.clock_file)}

    def trials(self) -> dict[Path, int]:
        """Return the folders of running trials with their process ids."""
        found = {}
        for lock in self.runs.glob(f"studies/{STUDY}/trials/*/lock"):
            try:
                pid = json.loads(lock.read_text())["pid"]
                holder = Path(f"/proc/{pid}/cmdline").read_bytes()
            except (OSError, ValueError, KeyError):
                continue  # just being written, or gone
            if b"forkserver" in holder or b"ray::" in holder:
                found[lock.parent] = int(pid)
        return found

    def send(self, pid: int, number: signal.Signals) -> bool:
        """Send a signal; False where the process is gone."""
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def say(self, started_at: float, text: str) -> None:
        """Note what was done, and when."""
        line = f"{time.monotonic() - started_at:7.1f} s  {text}"
        self.log.append(line)
        print(line, flush=True)
