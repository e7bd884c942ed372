"""What a trial warns of while it runs, as events: nobody reads the output of each trial.

A log record may say by `extra={"topic": ...}` what it is about, without the paths and numbers
that differ from trial to trial; a launch, and a report, tell each topic once.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WATCHED = ("data_pipeline", "models")


@contextmanager
def noted_warnings(note: Callable[..., None]) -> Iterator[None]:
    """Turn the warnings of our own packages into "warning" events; they are printed as before.

    Args:
        note: Called with "warning", and the keywords `topic` and `message`.
    """
    handler = _WarningEvents(note)
    loggers = [logging.getLogger(name) for name in WATCHED]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


class _WarningEvents(logging.StreamHandler):  # type: ignore[type-arg]  # as logging has it
    """Prints each warning, and notes each topic once."""

    def __init__(self, note: Callable[..., None]) -> None:
        super().__init__()
        self.setLevel(logging.WARNING)
        self._note = note
        self._noted: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print and note; what cannot be noted, as on a full disk, ends no training."""
        super().emit(record)
        message = record.getMessage()
        topic = str(getattr(record, "topic", message))
        if topic in self._noted:
            return
        self._noted.add(topic)
        try:
            self._note("warning", topic=topic, message=message)
        except OSError:
            self.handleError(record)
