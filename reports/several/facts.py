"""What a study found and what it took, in a few numbers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reports.notation import configuration_label
from trackers.costs import Costs, costs_of
from trackers.records import CandidateRecord, DecisionRecord, StageRecord, StudyRecord


@dataclass(frozen=True, slots=True)
class Found:
    """The winner of a stage, or of one of its classes."""

    stage: str
    group: str  # the class that decided for itself; ""
    label: str  # what the stage varied, for people
    values: Mapping[str, float]  # replicate -> objective value
    mean: float
    low: float | None  # confidence interval of the mean; None with fewer than 2 values
    high: float | None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a study took."""

    cells: int  # that were trained
    epochs: int  # finished, each once
    train_macs: float  # multiply-accumulates of complete cells
    costs: Costs  # of all attempts, also those that came to nothing


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """One column of a comparison."""

    name: str
    is_finished: bool
    metric: str
    direction: str
    select_on: str
    found: tuple[Found, ...]  # in the order of the stages
    last: Found | None  # what the study settled on; None before it did, or with one per class
    test: Mapping[str, float]  # the last winner's test scores, mean over its seeds
    test_looks: int
    spent: Spent


def study_facts(record: StudyRecord) -> StudyFacts:
    """Collect them from a record."""
    found = tuple(each for stage in record.stages for each in _found(stage))
    deciding = [stage for stage in record.stages if stage.decisions]
    last = [each for each in found if deciding and each.stage == deciding[-1].name]
    return StudyFacts(
        name=record.name,
        is_finished=record.is_finished,
        metric=record.metric,
        direction=record.direction,
        select_on=record.select_on,
        found=found,
        last=last[0] if len(last) == 1 else None,
        test=_test_scores(record, deciding[-1].name) if deciding else {},
        test_looks=record.test_looks,
        spent=_spent(record),
    )


def _found(stage: StageRecord) -> Iterator[Found]:
    labels = {each.id: configuration_label(each.shown) for each in stage.configurations}
    for decision in stage.decisions:
        candidate = _winner(decision)
        yield Found(
            stage=stage.name,
            group=decision.group,
            label=labels.get(candidate.configuration, ""),
            values=candidate.values,
            mean=candidate.mean,
            low=candidate.low,
            high=candidate.high,
        )


def _winner(decision: DecisionRecord) -> CandidateRecord:
    return next(each for each in decision.candidates if each.configuration == decision.winners[0])


def _test_scores(record: StudyRecord, stage: str) -> dict[str, float]:
    """Return the mean of every test metric over the seeds of a stage's winner."""
    scores = [each.metrics for each in record.test_scores if each.stage == stage]
    names = dict.fromkeys(name for each in scores for name in each)
    return {
        name: sum(values) / len(values)
        for name in names
        if (values := [each[name] for each in scores if name in each])
    }


def _spent(record: StudyRecord) -> Spent:
    trained = [cell for cell in record.cells.values() if cell.source is None and cell.trials]
    return Spent(
        cells=len(trained),
        epochs=sum(len(cell.epochs) for cell in trained),
        train_macs=sum(cell.train_macs for cell in trained),
        costs=costs_of(trial for cell in trained for trial in cell.trials),
    )
