"""Helper processes end with the one they help."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

from data_pipeline.loading.lifeline import Lifeline, end_with


def live(other_end: object) -> None:
    end_with(other_end)  # type: ignore[arg-type]  # a connection
    time.sleep(60)


def help_someone() -> None:
    """Start a helper, say who it is, and wait to be killed."""
    lifeline = Lifeline()
    helper = get_context("forkserver").Process(target=live, args=(lifeline.other_end,))
    helper.start()
    sys.stdout.write(f"{helper.pid}\n")
    sys.stdout.flush()
    time.sleep(60)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_helper_ends_when_the_helped_process_is_killed() -> None:
    script = "from tests.data_pipeline.test_lifeline import help_someone; help_someone()"
    helped = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert helped.stdout is not None
    helper = int(helped.stdout.readline())
    try:
        assert is_alive(helper)
        time.sleep(0.3)
        assert is_alive(helper)  # as long as the other lives
        helped.send_signal(signal.SIGKILL)
        helped.communicate()
        until = time.monotonic() + 20
        while is_alive(helper) and time.monotonic() < until:
            time.sleep(0.05)
        assert not is_alive(helper)
    finally:
        if is_alive(helper):
            os.kill(helper, signal.SIGKILL)
