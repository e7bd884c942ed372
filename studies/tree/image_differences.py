"""Differences of cells over images, from the predictions that their trials kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name

from models.catalog import TASKS
from models.metrics.resampling import ImageStatistic, mean_difference
from models.settings import EvaluationSettings
from studies.spec.schema import StudySpec
from studies.tree.intervals import Interval
from studies.tree.judging import ImageDifference
from studies.tree.kept_files import trained_files
from studies.tree.known_differences import Asked, known_differences
from studies.tree.ledger import Ledger


def image_differences(spec: StudySpec, ledger: Ledger, workspace: Path) -> ImageDifference | None:
    """Return what compares cells over images; None where the study decides over seeds."""
    is_wanted = spec.search.select.interval == "images"
    return ImageDifferences(spec, ledger, workspace) if is_wanted else None


@dataclass(slots=True)
class ImageDifferences:
    """Compares cells of a study; each one's predictions are read once, and each pair once.

    The tree grows anew many times, and with each time all its stages are judged.
    """

    spec: StudySpec
    ledger: Ledger
    workspace: Path
    _known: dict[str, ImageStatistic] = field(default_factory=dict)
    _differences: dict[Asked, Interval] | None = None  # None: the ledger was not looked into

    def __call__(self, pairs: Sequence[tuple[str, str]], confidence: float) -> Interval | None:
        """Return the mean difference of pairs of cells, with its interval over other images.

        Args:
            pairs: Of cells that are complete; at least one.
            confidence: Of the interval.

        Returns:
            None where predictions are not there, as when a plan assumes what will be.
        """
        if self._differences is None:
            study, metric = self.spec.study, self.spec.objective.metric
            self._differences = known_differences(self.ledger, study, metric)
        asked = (tuple(pairs), confidence)
        if asked not in self._differences:
            found = self._measure(pairs, confidence)
            if found is None:
                return None
            self._differences[asked] = found
        return self._differences[asked]

    def _measure(self, pairs: Sequence[tuple[str, str]], confidence: float) -> Interval | None:
        statistics = [(self._statistic(own), self._statistic(other)) for own, other in pairs]
        there = [(own, other) for own, other in statistics if own and other]
        if len(there) < len(pairs):
            return None
        found = mean_difference(there, confidence)
        return Interval(found.mean, found.low, found.high)

    def _statistic(self, cell: str) -> ImageStatistic | None:
        known = self._known.get(cell)
        if known is None:
            known = self._read(cell)
        if known is not None:  # else a plan asks, before it ran
            self._known[cell] = known
        return known

    def _read(self, cell: str) -> ImageStatistic | None:
        """Read a cell's predictions, or those it re-scores, as its own settings score them."""
        study, entry = self.spec.study, TASKS[self.spec.task]
        if entry.image_statistic is None or cell not in self.ledger.results(study, cell):
            return None
        row = self.ledger.cell(study, cell)
        split, _, metric = self.spec.objective.metric.partition("/")
        trials = self.ledger.trials(study, row["source"] or cell)
        file = trained_files(self.workspace, trials).get(f"predictions_{split}")
        if file is None:
            return None
        evaluation = EvaluationSettings.model_validate(row["settings"]["evaluation"])
        statistic: ImageStatistic = resolve_name(entry.image_statistic)(file, metric, evaluation)
        return statistic
