"""The processes that train one network together; torch-free.

Each rank runs the same training loop on its part of every batch. What only one can know (the
clock, whether to stop) the first one decides; only it reports, and writes files. What goes wrong
in one goes wrong in all, so that none waits for another that has gone:

    every rank   own part of a batch ──together──► gradients added up ──► the same step
    the first    decided / told ──► all            all ──gathered──► the first

`ALONE` is the one rank of a training in one process, for which all this is nothing.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class LeftAlone(RuntimeError):  # noqa: N818  # what it says, not what it is
    """A rank that this one waited for has gone; which, and why, it cannot know."""


class Ranks(Protocol):
    """One process's view of all of them; all must call the same methods in the same order."""

    @property
    def rank(self) -> int:
        """Which one this is, from 0; the first one reports and writes."""

    @property
    def count(self) -> int:
        """How many there are."""

    def together(self, *, meets_inside: bool = False) -> AbstractContextManager[None]:
        """Raise in every rank what one of them raises inside.

        Args:
            meets_inside: Ranks wait for each other inside, where what one raises cannot reach
                them. It then leaves at once; the others find themselves left alone.
        """

    def decided(self, is_so: bool) -> bool:
        """Return what the first one says."""

    def told(self, value: T) -> T:
        """Return the first one's value, a small picklable one."""

    def gathered(self, value: T) -> list[T]:
        """Return every rank's picklable value in their order to the first one, [] to others."""

    def wait(self) -> None:
        """Wait until all are here."""

    def add_gradients(self, weights: Iterable[Any]) -> None:
        """Replace the gradient of each weight by the sum of every rank's."""


class Alone:
    """The one rank of a training in one process."""

    rank = 0
    count = 1

    def together(self, *, meets_inside: bool = False) -> AbstractContextManager[None]:
        """Let pass what is raised."""
        del meets_inside  # nobody is there to meet
        return nullcontext()

    def decided(self, is_so: bool) -> bool:
        """Return it."""
        return is_so

    def told(self, value: T) -> T:
        """Return it."""
        return value

    def gathered(self, value: T) -> list[T]:
        """Return it, the only one."""
        return [value]

    def wait(self) -> None:
        """Return."""

    def add_gradients(self, weights: Iterable[Any]) -> None:
        """Leave them: they are whole."""


ALONE = Alone()


@contextmanager
def first_goes_ahead(ranks: Ranks) -> Iterator[None]:
    """Let the first rank do something before the others do: it may write what they then read."""
    if ranks.rank:
        ranks.wait()
    yield
    if not ranks.rank:
        ranks.wait()


def part_of(items: int, ranks: Ranks) -> slice:
    """Return a rank's part of so many items in order, of as equal size as can be.

    The first ranks have one more where it does not come out even.
    """
    first, end = (-(-items * rank // ranks.count) for rank in (ranks.rank, ranks.rank + 1))
    return slice(first, end)
