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
from studies.tree.ledger import Ledger


def image_differences(spec: StudySpec, ledger: Ledger, workspace: Path) -> ImageDifference | None:
    """Return what compares cells over images; None where the study decides over seeds."""
    is_wanted = spec.search.select.interval == "images"
    return ImageDifferences(spec, ledger, workspace) if is_wanted else None


@dataclass(slots=True)
class ImageDifferences:
    """Compares cells of a study; each one's predictions are read once."""

    spec: StudySpec
    ledger: Ledger
    workspace: Path
    _known: dict[str, ImageStatistic | None] = field(default_factory=dict)

    def __call__(self, pairs: Sequence[tuple[str, str]], confidence: float) -> Interval | None:
        """Return the mean difference of pairs of cells, with its interval over other images.

        Args:
            pairs: Of cells that are complete; at least one.
            confidence: Of the interval.

        Returns:
            None where predictions are not there, as when a plan assumes what will be.
        """
        statistics = [(self._statistic(own), self._statistic(other)) for own, other in pairs]
        there = [(own, other) for own, other in statistics if own and other]
        if len(there) < len(pairs):
            return None
        found = mean_difference(there, confidence)
        return Interval(found.mean, found.low, found.high)

    def _statistic(self, cell: str) -> ImageStatistic | None:
        if cell not in self._known:
            self._known[cell] = self._read(cell)
        return self._known[cell]

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
