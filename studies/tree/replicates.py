"""What a configuration is measured with more than once: seeds, and folds of the data."""

from collections.abc import Iterator
from dataclasses import dataclass

from studies.spec.schema import StudySpec


@dataclass(frozen=True, slots=True)
class Replicate:
    """One measurement of a configuration, of one class where each has a network of its own."""

    seed: int
    fold: int | None = None  # None: the data are cut once


def replicates_of(spec: StudySpec, seeds: range | None = None) -> tuple[Replicate, ...]:
    """Return what each configuration is measured with, seed by seed: of each, every fold.

    Args:
        spec: The study.
        seeds: With which; None: those of `search.replicates`.
    """
    return tuple(_replicates(spec, range(spec.search.replicates) if seeds is None else seeds))


def replicate_count(spec: StudySpec) -> int:
    """Return how many cells measure a configuration, of one class."""
    return spec.search.replicates * folds_of(spec)


def folds_of(spec: StudySpec) -> int:
    """Return how many cells each seed takes; 1 where the data are cut once."""
    return spec.data.folds or 1


def _replicates(spec: StudySpec, seeds: range) -> Iterator[Replicate]:
    for seed in seeds:
        if spec.data.folds is None:
            yield Replicate(seed)
        else:
            yield from (Replicate(seed, fold) for fold in range(spec.data.folds))
