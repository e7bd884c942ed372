"""From what the cells of a stage measured to its decisions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.decisions import Candidate, CompareIds, Rule, decide
from studies.tree.fold_blocks import Folds
from studies.tree.grown import (
    Configuration,
    GrownStage,
    named_fold,
    objective_value,
    replicate_name,
)
from studies.tree.intervals import Interval, confidence_of_each
from trackers.records import DecisionRecord

# Of pairs of cells on the same images, and a confidence: the mean difference of the objective
# with its interval over other images; None where a cell's predictions are not there.
ImageDifference = Callable[[Sequence[tuple[str, str]], float], Interval | None]


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides the stages of a study."""

    spec: StudySpec
    results: Mapping[str, CellResult]
    image_difference: ImageDifference | None = None  # None: differences are over seeds

    def judge(
        self,
        grown: GrownStage,
        *,
        above: Sequence[GrownStage] = (),
        has_reference: bool = False,
        first_seed: int = 0,
    ) -> GrownStage:
        """Decide a stage if every configuration is there and all its cells ended.

        Args:
            grown: The stage.
            above: Stages whose winners it compares without measuring them again.
            has_reference: Whether others are held against the first configuration of a group.
            first_seed: Cells of lower seeds decide nothing.
        """
        measured = sum(len(each.cells) for each in grown.configurations)
        is_settled = measured >= grown.planned_cells and all(
            cell.id in self.results for cell in grown.cells()
        )
        if not is_settled:
            return grown
        decisions = []
        for group in grown.stage.groups if grown.stage.decides_per_group else ("",):
            rivals = _distinct(
                _from_seed(each, first_seed)
                for each in grown.configurations
                if each.group == group
            )
            rule = replace(
                self._rule(grown, group),
                tried=_tried((*above, grown), group),
                reference=rivals[0].id if has_reference and rivals else "",
                folds=_folds(self.spec, rivals),
            )
            decision = self._decide(grown, rivals, rule)
            if decision is None:
                return replace(grown, is_settled=True)
            decisions.append(decision)
        return replace(grown, decisions=tuple(decisions), is_settled=True)

    def _rule(self, grown: GrownStage, group: str) -> Rule:
        objective, select = self.spec.objective, self.spec.search.select
        return Rule(
            stage=grown.stage.name,
            group=group,
            metric=objective.metric,
            maximize=objective.direction == "maximize",
            confidence=select.confidence,
            prefers_cheapest=select.ties == "cheapest",
            beam=grown.stage.beam,
            over_images=self.image_difference is not None,
        )

    def _decide(
        self, grown: GrownStage, rivals: Sequence[Configuration], rule: Rule
    ) -> DecisionRecord | None:
        is_beam = grown.stage.kind == "stage" and len({each.parent for each in rivals}) > 1
        candidates = [
            self._candidate(each, is_free=grown.stage.after_training, is_beam=is_beam)
            for each in rivals
        ]
        return decide(candidates, rule, by_images=self._by_images(rivals, rule.confidence))

    def _candidate(
        self, configuration: Configuration, *, is_free: bool, is_beam: bool
    ) -> Candidate:
        """Collect a configuration's results; re-scoring is free, whoever trained the cell."""
        values: dict[str, float] = {}
        missing: list[str] = []
        measured = []
        for cell in configuration.cells:
            name = replicate_name(cell)
            result = self.results[cell.id]
            value = objective_value(result, self.spec.objective.metric)
            if value is None:
                missing.append(name)
            else:
                values[name] = value
                measured.append(self.results.get(result.source or cell.id, result))
        count = max(1, len(measured))
        branch = f" from {configuration.parent}" if is_beam else ""  # else two have one name
        return Candidate(
            id=configuration.id,
            label=configuration.label + branch,
            values=values,
            missing=tuple(missing),
            train_macs=0.0 if is_free else sum(each.train_macs for each in measured) / count,
            seconds=0.0 if is_free else sum(each.seconds for each in measured) / count,
        )

    def _by_images(self, rivals: Sequence[Configuration], confidence: float) -> CompareIds | None:
        """Return what finds the interval over images of two; None where seeds decide."""
        measure = self.image_difference
        if measure is None:
            return None
        each_confidence = confidence_of_each(len(rivals), confidence)
        cells = {each.id: self._complete(each) for each in rivals}

        def find(own: str, other: str) -> Interval | None:
            shared = [
                (cell, cells[other][name])
                for name, cell in cells[own].items()
                if name in cells[other]
            ]
            return measure(shared, each_confidence) if shared else None

        return find

    def _complete(self, configuration: Configuration) -> dict[str, str]:
        """Return the cells of a configuration that have a value: replicate -> cell."""
        metric = self.spec.objective.metric
        return {
            replicate_name(cell): cell.id
            for cell in configuration.cells
            if objective_value(self.results[cell.id], metric) is not None
        }


def _folds(spec: StudySpec, rivals: Sequence[Configuration]) -> Folds | None:
    """Return the fold of each replicate; None where the data are cut once."""
    if spec.data.folds is None:
        return None
    cells = [cell for each in rivals for cell in each.cells if cell.fold is not None]
    return Folds(spec.data.folds, {replicate_name(c): named_fold(c.fold or 0) for c in cells})


def _from_seed(configuration: Configuration, first: int) -> Configuration:
    if first == 0:
        return configuration
    return replace(configuration, cells=tuple(c for c in configuration.cells if c.seed >= first))


def _distinct(configurations: Iterable[Configuration]) -> list[Configuration]:
    """Return configurations without those measured by another's cells: a sampler may repeat one.

    Nothing is measured by a repetition; as a rival of its own it would feign certainty.
    """
    by_cells: dict[tuple[str, ...], Configuration] = {}
    for each in configurations:
        by_cells.setdefault(tuple(cell.id for cell in each.cells), each)
    return list(by_cells.values())


def _tried(stages: Sequence[GrownStage], group: str) -> int:
    """Count the configurations that were measured, for a class where it decides for itself."""
    return len(
        {
            cells
            for grown in stages
            for each in grown.configurations
            if (cells := _cells_of(each.cells, group))
        }
    )


def _cells_of(cells: Sequence[PlannedCell], group: str) -> tuple[str, ...]:
    return tuple(cell.id for cell in cells if not group or cell.group == group)
