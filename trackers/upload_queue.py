"""A queue that stores snapshots from a thread of its own, however long the store is away.

UploadError
├── StoreUnavailableError   the store is away or failing: try again, for ever
└── UploadRefusedError      the store will never take this: say so once, go on with the others
"""

import logging
import threading
import traceback
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from trackers.redaction import redact

_LOG = logging.getLogger(__name__)
Upload = TypeVar("Upload")


class UploadError(Exception):
    """An upload was not stored."""


class StoreUnavailableError(UploadError):
    """The store does not answer, or answers that it cannot work."""


class UploadRefusedError(UploadError):
    """The store answers that this upload is wrong."""


class UploadQueue(Generic[Upload]):
    """Stores the newest upload of every key, in the order in which the keys came."""

    def __init__(
        self,
        store: Callable[[Upload], None],
        *,
        destination: str,
        first_delay_s: float = 0.5,
        longest_delay_s: float = 15.0,
    ) -> None:
        """Start the thread.

        Args:
            store: stores one upload; called from the thread only, so it may be slow. It must
                stand being called again with an upload that it has stored in part.
            destination: what log lines call the store.
            first_delay_s: pause after the first failure; it doubles with each further one.
            longest_delay_s: longest pause.
        """
        self._store = store
        self._destination = destination
        self._delays_s = (first_delay_s, longest_delay_s)
        self._waiting: dict[Hashable, Upload] = {}
        self._refused: set[Hashable] = set()
        self._failures = 0  # in a row
        self._is_storing = False
        self._is_closed = False
        self._drains = 0  # so far
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="uploads", daemon=True)
        self._thread.start()

    def put(self, key: Hashable, upload: Upload) -> None:
        """Take an upload in place of the one that waits under the same key."""
        with self._changed:
            self._waiting[key] = upload
            self._refused.discard(key)
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing waits any more; say whether all that was put is stored.

        A pause after a failure ends at once: somebody wants to know now.
        """
        with self._changed:
            self._drains += 1
            self._changed.notify_all()
            is_empty = self._changed.wait_for(
                lambda: not self._waiting and not self._is_storing, timeout_s
            )
            return is_empty and not self._refused

    @property
    def is_away(self) -> bool:
        """Whether the last attempt to store something found no store."""
        return self._failures > 0

    def close(self, timeout_s: float = 1.0) -> None:
        """Stop after the upload that is under way, and wait for that at most `timeout_s`."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            key, upload = taken
            try:
                self._store(upload)
            except StoreUnavailableError as error:
                self._put_back(key, upload, error=error)
            except UploadRefusedError as error:
                self._refuse(key, error=error)
            # A defect of ours must cost one upload, and not the thread that all others need.
            except Exception as error:  # noqa: BLE001
                story = redact("".join(traceback.format_exception(error)))
                _LOG.error("%s could not be stored\n%s", key, story)
                self._refuse(key, error=error)
            else:
                self._settle()

    def _take(self) -> tuple[Hashable, Upload] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if self._is_closed:
                return None
            key = next(iter(self._waiting))
            self._is_storing = True
            return key, self._waiting.pop(key)

    def _settle(self) -> None:
        with self._changed:
            self._is_storing = False
            if self._failures:
                waiting = len(self._waiting)
                _LOG.warning("%s is back; %d more uploads waited", self._destination, waiting)
            self._failures = 0
            self._changed.notify_all()

    def _refuse(self, key: Hashable, *, error: Exception) -> None:
        _LOG.warning("%s did not take %s: %s", self._destination, key, redact(str(error)))
        with self._changed:
            if key not in self._waiting:  # else a newer one is about to be tried
                self._refused.add(key)
            self._is_storing = False
            self._changed.notify_all()

    def _put_back(self, key: Hashable, upload: Upload, *, error: StoreUnavailableError) -> None:
        with self._changed:
            # To the end: an upload that alone makes the store fail must not block the others.
            self._waiting.setdefault(key, upload)
            self._is_storing = False
            if not self._failures:
                _LOG.warning(
                    "%s is away (%s); uploads wait and are tried again",
                    self._destination,
                    redact(str(error)),
                )
            self._failures += 1
            first_s, longest_s = self._delays_s
            delay_s = delay_after(self._failures, first_s=first_s, longest_s=longest_s)
            self._changed.notify_all()
            drains = self._drains
            self._changed.wait_for(lambda: self._is_closed or self._drains > drains, delay_s)


def delay_after(failures: int, *, first_s: float, longest_s: float) -> float:
    """Return the pause in seconds after so many failures in a row: doubled each time."""
    return float(min(longest_s, first_s * 2.0 ** min(failures - 1, 30)))
