"""Helper processes that end with the process they help, even when that is killed.

The helped process keeps one end of a pipe. When it is gone, however it went, the kernel closes
that end, and the others see it.
"""

import os
import threading
from multiprocessing import Pipe
from multiprocessing.connection import Connection

ORPHANED_EXIT_CODE = 75  # EX_TEMPFAIL


class Lifeline:
    """The helped process's end; helpers get `other_end`."""

    def __init__(self) -> None:
        self.other_end, self._kept = Pipe(duplex=False)


def end_with(other_end: "Connection[None, None]") -> None:
    """End this process as soon as the one that keeps the lifeline is gone."""

    def wait() -> None:
        other_end.poll(None)  # nothing is ever sent, so this is the end
        os._exit(ORPHANED_EXIT_CODE)

    threading.Thread(target=wait, daemon=True, name="lifeline").start()
