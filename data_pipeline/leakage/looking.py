"""Look at many items at once: in threads, and at each file once."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.dataset import Listed
from data_pipeline.errors import DataError
from data_pipeline.leakage.likeness import Likeness, likeness_of, small_squares
from data_pipeline.leakage.likeness_store import identity_of, keep, kept

Progress: TypeAlias = Callable[[int, int], None]  # items looked at, items to look at
KEPT_EVERY = 2_000  # items; what an interrupted search has looked at by then is not lost
Result = TypeVar("Result")


class Looking:
    """Reads items; those that cannot be read are left out of every answer."""

    def __init__(self, items: Iterable[Listed]) -> None:
        """Prepare for items, which must be all that are in use: some may share a file."""
        self._holders = Counter(item.files[0] for item in items)

    def likenesses(
        self, items: Sequence[Listed], progress: Progress | None = None
    ) -> list[Likeness | None]:
        """Return the likeness of each item, from the workspace where the file is unchanged."""
        identities = [identity_of(item) for item in items]
        known = kept([identity for identity in identities if identity is not None])
        seen = [None if identity is None else known.get(identity) for identity in identities]
        fresh = [place for place, likeness in enumerate(seen) if likeness is None]
        for start in range(0, len(fresh), KEPT_EVERY):
            part = fresh[start : start + KEPT_EVERY]
            found: dict[bytes, Likeness] = {}
            each = self._each([items[place] for place in part], self._likeness)
            for done, (place, likeness) in enumerate(zip(part, each, strict=True), start + 1):
                identity = identities[place]
                if likeness is not None and identity is not None:
                    seen[place] = found[identity] = likeness
                if progress is not None:
                    progress(done, len(fresh))
            keep(found)
        return seen

    def squares(self, items: Sequence[Listed]) -> list[NDArray[np.uint8] | None]:
        """Return (k, SIDE, SIDE) grey squares of each item."""
        return list(self._each(items, self._squares))

    def _likeness(self, item: Listed) -> Likeness:
        return likeness_of(item, shares_file=self._shares_file(item))

    def _squares(self, item: Listed) -> NDArray[np.uint8]:
        return small_squares(item, shares_file=self._shares_file(item))[0]

    def _shares_file(self, item: Listed) -> bool:
        return self._holders[item.files[0]] > 1

    def _each(
        self, items: Sequence[Listed], look: Callable[[Listed], Result]
    ) -> Iterator[Result | None]:
        """Yield what was seen of each item, in order; None where it cannot be read."""

        def attempt(item: Listed) -> Result | None:
            try:
                return look(item)
            except (DataError, OSError):
                return None

        # threads: decoding holds no lock, and nothing need be sent to a process
        threads = ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0)))
        try:
            yield from threads.map(attempt, items)
        finally:
            threads.shutdown(cancel_futures=True)  # Ctrl-C need not wait for the rest
