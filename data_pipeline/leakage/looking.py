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
    ) -> dict[str, Likeness]:
        """Return image id -> likeness, from the workspace where the file is unchanged."""
        identities = {item.image_id: identity_of(item) for item in items}
        known = kept([identity for identity in identities.values() if identity is not None])
        seen = {i: known[identity] for i, identity in identities.items() if identity in known}
        fresh = [item for item in items if item.image_id not in seen]
        for start in range(0, len(fresh), KEPT_EVERY):
            part = fresh[start : start + KEPT_EVERY]
            found: dict[bytes, Likeness] = {}
            for done, (item, likeness) in enumerate(self._each(part, self._likeness), start + 1):
                identity = identities[item.image_id]
                if likeness is not None and identity is not None:
                    seen[item.image_id] = found[identity] = likeness
                if progress is not None:
                    progress(done, len(fresh))
            keep(found)
        return seen

    def squares(self, items: Sequence[Listed]) -> dict[str, NDArray[np.uint8]]:
        """Return image id -> (k, SIDE, SIDE) grey squares."""
        each = self._each(items, self._squares)
        return {item.image_id: squares for item, squares in each if squares is not None}

    def _likeness(self, item: Listed) -> Likeness:
        return likeness_of(item, shares_file=self._shares_file(item))

    def _squares(self, item: Listed) -> NDArray[np.uint8]:
        return small_squares(item, shares_file=self._shares_file(item))[0]

    def _shares_file(self, item: Listed) -> bool:
        return self._holders[item.files[0]] > 1

    def _each(
        self, items: Sequence[Listed], look: Callable[[Listed], Result]
    ) -> Iterator[tuple[Listed, Result | None]]:
        """Yield each item with what was seen, in order; None where it cannot be read."""

        def attempt(item: Listed) -> Result | None:
            try:
                return look(item)
            except (DataError, OSError):
                return None

        # threads: decoding holds no lock, and nothing need be sent to a process
        threads = ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0)))
        try:
            yield from zip(items, threads.map(attempt, items), strict=True)
        finally:
            threads.shutdown(cancel_futures=True)  # Ctrl-C need not wait for the rest
