"""Requests that a running study stops: with checkpoints, or at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class StopRequest:
    """Whether a study is to stop; only a person has its trials killed."""

    reason: str = ""  # the first one
    is_made: bool = False  # trials write checkpoints and end
    kills: bool = False  # they are ended at once
    is_by_signal: bool = False  # whoever made it waits at a terminal, or will not wait for long
    _interrupts: int = 0

    def ask(self, reason: str) -> None:
        """Ask to stop with checkpoints; asked again, nothing changes."""
        self.is_made = True
        self.reason = self.reason or reason

    def kill(self, reason: str) -> None:
        """Ask to stop at once."""
        self.ask(reason)
        self.kills = True

    def interrupt(self) -> None:
        """Take a Ctrl-C: the first asks, whatever else did before; the second kills."""
        self._interrupts += 1
        self.is_by_signal = True
        self.ask("interrupted (Ctrl-C)")
        self.kills = self.kills or self._interrupts > 1

    def terminate(self) -> None:
        """Take a SIGTERM, which machines send too: it kills nothing."""
        self.is_by_signal = True
        self.ask("terminated (SIGTERM)")


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into requests to stop, as long as the study runs."""
    stop = StopRequest()
    handlers = {signal.SIGINT: stop.interrupt, signal.SIGTERM: stop.terminate}
    previous = {
        number: signal.signal(number, lambda *_, take=take: take())
        for number, take in handlers.items()
    }
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
