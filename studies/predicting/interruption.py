"""Ctrl-C as a wish to stop, so that what is being written is finished."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_wishes() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a wish; yield what tells whether there was one.

    The second one acts as ever. Only the main thread may do this.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    is_wished = False

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def wish(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # of every handler
        nonlocal is_wished
        is_wished = True
        restore()

    for number in SIGNALS:
        signal.signal(number, wish)
    try:
        yield lambda: is_wished
    finally:
        restore()
