"""A PostgreSQL server of a soak's own, on the loopback interface, to be crashed at will."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path("/usr/lib/postgresql")  # Debian's, by version


@dataclass(frozen=True, slots=True)
class Postgres:
    """The server; its data is gone with it."""

    programs: Path
    folder: Path
    port: int

    def address(self, database: str) -> str:
        """Return the address of a database that need not exist."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k ''"
        self._run("pg_ctl", "start", "-w", "-l", str(self.folder / "log"), "-o", options)

    def stop(self) -> None:
        """Stop it as a crash would."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate")

    def close(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of its programs on its data, not as root: it refuses that."""
        subprocess.run(
            [self.programs / program, "-D", self.folder / "data", *arguments],
            check=True,
            stdout=subprocess.DEVNULL,  # a server that inherits a pipe keeps it open
            stderr=subprocess.DEVNULL,
            user="postgres" if os.getuid() == 0 else None,
            cwd=self.folder,
        )


def start_postgres() -> Postgres:
    """Make a fresh server and start it.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
    """
    installed = sorted(PROGRAMS.glob("*/bin/initdb"))
    if not installed:
        raise FileNotFoundError(f"PostgreSQL must be installed, got no {PROGRAMS}/*/bin/initdb")
    folder = Path(tempfile.mkdtemp(prefix="soak-postgres-"))
    if os.getuid() == 0:
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Postgres(installed[-1].parent, folder, port)
    server._run("initdb", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C")
    server.start()
    return server
