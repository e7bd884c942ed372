"""A server that a verb runs ends with the verb, and says by itself only what went wrong."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from studies.cli.serving import serve

SERVER = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""
VERB = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from studies.cli.serving import serve
raise SystemExit(serve([sys.executable, "-c", sys.argv[1], sys.argv[2]]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_the_verb(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "pid"
    verb = subprocess.Popen([sys.executable, "-c", VERB, SERVER, str(file)])
    while not (file.exists() and file.read_text()):
        assert verb.poll() is None
        time.sleep(0.02)

    verb.send_signal(number)

    assert verb.wait() == 0
    assert not psutil.pid_exists(int(file.read_text()))


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import sys; sys.exit(3)", 3),
        ("import os; os.kill(os.getpid(), 9)", -9),
        ("import os; os.kill(os.getpid(), 15)", 0),
        ("import sys; sys.exit(130)", 0),
    ],
)
def test_an_end_that_nobody_asked_for_is_told(
    program: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "1")

    assert serve([sys.executable, "-c", program]) == code
