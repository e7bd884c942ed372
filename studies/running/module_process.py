"""Work that must not be in this process: a module of ours that reads an order and prints."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any


def run_module(
    name: str, order: Mapping[str, Any], *, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a module in a process of its own, with an order as JSON on its input.

    Raises:
        subprocess.TimeoutExpired: It took longer, and was killed.
    """
    return subprocess.run(
        [sys.executable, "-m", name],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
