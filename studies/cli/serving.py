"""Run a server until somebody ends it: with Ctrl-C, by SIGTERM, or the server itself."""

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import NoReturn

import typer

_ASKED = (signal.SIGINT, signal.SIGTERM)
# As a process that a signal ended, and as a shell says it.
QUIET_ENDS = frozenset({0, *(-each for each in _ASKED), *(128 + each for each in _ASKED)})


def serve(
    command: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    once_begun: Callable[["subprocess.Popen[bytes]"], None] | None = None,
) -> int:
    """Run a server in the foreground; it never outlives this process's end by a signal.

    Args:
        command: What serves.
        environ: Its whole environment; None: this process's.
        once_begun: Called with the process while it comes up; what it raises ends the server.

    Returns:
        0 where it was asked to end, else the exit status with which it ended by itself.
    """
    before = signal.signal(signal.SIGTERM, _interrupt)
    server = subprocess.Popen(command, env=environ)
    try:
        if once_begun is not None:
            once_begun(server)
        code = server.wait()
        return 0 if code in QUIET_ENDS else code
    except KeyboardInterrupt:
        typer.echo("stopping")
        return 0
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not cut this short
        server.terminate()
        server.wait()
        signal.signal(signal.SIGTERM, before)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
