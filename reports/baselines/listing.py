"""What is known, name by name, and a choice of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reports.baselines.citation_files import UnknownBaselineError
from reports.baselines.citations import Baseline, Protocol
from reports.baselines.registry import every_baseline


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a listing is narrowed to; None: to nothing."""

    task: str | None = None
    dataset: str | None = None
    metric: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """One name that a study may list."""

    name: str
    systems: tuple[str, ...]
    tasks: tuple[str, ...]
    datasets: tuple[str, ...]
    metrics: tuple[str, ...]
    numbers: int


def summaries(wanted: Wanted) -> tuple[Summary, ...]:
    """Return the names that have a wanted number, each with what is wanted of it.

    Raises:
        UnknownBaselineError: no number at all is of a wanted task, dataset or metric.
    """
    found = every_baseline()
    found = _narrowed(found, "task", wanted.task, lambda p: p.task)
    found = _narrowed(found, "dataset", wanted.dataset, lambda p: p.dataset)
    found = _narrowed(found, "metric", wanted.metric, lambda p: p.metric)
    by_name: dict[str, list[Baseline]] = {}
    for each in found:
        by_name.setdefault(each.name, []).append(each)
    return tuple(_summary(name, numbers) for name, numbers in by_name.items())


def _narrowed(
    numbers: Sequence[Baseline], kind: str, wanted: str | None, of: Callable[[Protocol], str]
) -> tuple[Baseline, ...]:
    if wanted is None:
        return tuple(numbers)
    known = sorted({of(each.protocol) for each in every_baseline()})
    if wanted not in known:
        raise UnknownBaselineError(wanted, known, kind=kind)
    return tuple(each for each in numbers if of(each.protocol) == wanted)


def _summary(name: str, numbers: Sequence[Baseline]) -> Summary:
    protocols = [each.protocol for each in numbers]
    return Summary(
        name=name,
        systems=tuple(dict.fromkeys(each.system for each in numbers)),
        tasks=tuple(dict.fromkeys(p.task for p in protocols)),
        datasets=tuple(dict.fromkeys(p.dataset for p in protocols)),
        metrics=tuple(dict.fromkeys(p.metric for p in protocols)),
        numbers=len(numbers),
    )
