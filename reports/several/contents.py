"""Everything that a page of several studies shows, as numbers and figures without any HTML."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from reports.baselines.verdict import Verdict
from reports.figures.embedding import EmbeddedFigure, Panel, embed
from reports.notation import (
    interval,
    join_words,
    metric_name,
    plural,
    score,
    sentence_case,
    setting_text,
    signed,
)
from reports.several.comparison import Comparison, compare_studies, settings_that_differ
from reports.several.convergence import convergence, convergence_figure, convergence_summary
from reports.several.costs import shared_cost_figure, shared_cost_summary, shared_costs
from reports.several.facts import Found, StudyFacts, study_facts
from reports.tables.summary import summarise
from trackers.records import JsonValue, StudyRecord


@dataclass(frozen=True, slots=True)
class Column:
    """One study."""

    facts: StudyFacts
    label: str  # what its stages chose; "" before that, or with one winner per class
    note: str  # why it is not finished
    test: float | None  # the objective on the test split, mean over the winner's seeds
    style: int  # of its lines and points, see `theme.series_style`


@dataclass(frozen=True, slots=True)
class AskedRow:
    """A setting that the studies do not share."""

    path: str
    values: tuple[str, ...]  # as printed, one per study; "" where a study does not set it


@dataclass(frozen=True, slots=True)
class StageRow:
    """What each study's stage of one name chose."""

    stage: str
    group: str  # class that decided for itself; ""
    found: tuple[Found | None, ...]  # one per study


@dataclass(frozen=True, slots=True)
class SeveralContents:
    """The page, section by section."""

    columns: tuple[Column, ...]
    metric: str
    sentences: tuple[str, ...]
    pairs: tuple[Comparison, ...]
    asked: tuple[AskedRow, ...]
    stages: tuple[StageRow, ...]
    convergence: tuple[Panel, ...]
    costs: tuple[EmbeddedFigure, ...]


def several_contents(studies: Sequence[StudyRecord]) -> SeveralContents:
    """Compute a page of two studies or more."""
    columns = tuple(_column(each, index) for index, each in enumerate(studies))
    pairs = tuple(compare_studies(a, b) for a, b in combinations(studies, 2))
    return SeveralContents(
        columns=columns,
        metric=metric_name(studies[0].metric),
        sentences=tuple(_sentences(studies, columns, pairs)),
        pairs=pairs,
        asked=tuple(
            AskedRow(path, tuple(_asked(path, value) for value in values))
            for path, values in settings_that_differ(studies).items()
        ),
        stages=tuple(_stages(columns)),
        convergence=_convergence(studies),
        costs=tuple(
            embed(
                shared_cost_figure(each),
                f"cost-{each.id}",
                title=f"{sentence_case(metric_name(each.metric))} against {each.cost}",
                summary=shared_cost_summary(each),
            )
            for each in shared_costs(studies, is_one_question=not any(p.objections for p in pairs))
        ),
    )


def _column(study: StudyRecord, index: int) -> Column:
    cards = summarise(study).winners
    note = "" if study.is_finished else study.note or "not finished"
    facts = study_facts(study)
    label = cards[0].label if len(cards) == 1 else ""
    return Column(facts, label, note, facts.test.get(_on_test(study.metric)), index)


def _on_test(metric: str) -> str:
    return f"test/{metric.rpartition('/')[2]}"


def _asked(path: str, value: JsonValue) -> str:
    return "" if value is None else setting_text(path, value)


def _stages(columns: Sequence[Column]) -> Iterator[StageRow]:
    found = [{(each.stage, each.group): each for each in c.facts.found} for c in columns]
    for stage, group in dict.fromkeys(key for each in found for key in each):
        yield StageRow(stage, group, tuple(each.get((stage, group)) for each in found))


def _convergence(studies: Sequence[StudyRecord]) -> tuple[Panel, ...]:
    """Draw all studies' ways in one figure, where they are after the same."""
    curves = [convergence(each) for each in studies]
    is_shared = len({(each.metric, each.direction) for each in studies}) == 1
    if not is_shared or not any(each.steps for each in curves):
        return ()
    figure = embed(
        convergence_figure(curves, studies[0].metric),
        "convergence",
        title=f"Best {metric_name(studies[0].metric)} so far",
        summary=convergence_summary(curves),
    )
    legend = tuple((each.name, index) for index, each in enumerate(studies))
    return (Panel("", (figure,), legend),)


def _sentences(
    studies: Sequence[StudyRecord], columns: Sequence[Column], pairs: Sequence[Comparison]
) -> Iterator[str]:
    """Say what scored best, how sure that is, and what it cost."""
    objections = list(dict.fromkeys(each for pair in pairs for each in pair.objections))
    if objections:
        yield f"Not all of these studies may be compared: {join_words(objections)}."
        return
    settled = [c for c in columns if c.facts.last is not None]
    is_up = studies[0].direction == "maximize"
    best = sorted(settled, key=lambda c: _mean(c), reverse=is_up)[0]
    last = best.facts.last
    ends = "no interval" if last is None or last.low is None else interval(last.low, last.high)
    yield (
        f"{'Highest' if is_up else 'Lowest'} {metric_name(best.facts.metric)}: "
        f"{best.facts.name}, with {best.label}, at {score(_mean(best))} ({ends})."
    )
    told = [
        _beside(best.facts.name, pair)
        for pair in pairs
        if best.facts.name in (pair.first.name, pair.second.name) and pair.difference
    ]
    yield from (f"{sentence_case(each)}." for each in told)
    yield (
        f"In all they trained {plural(sum(c.facts.spent.cells for c in columns), 'cell')} for "
        f"{plural(sum(c.facts.spent.epochs for c in columns), 'epoch')}."
    )


def _mean(column: Column) -> float:
    return column.facts.last.mean if column.facts.last is not None else 0.0


def _beside(best: str, pair: Comparison) -> str:
    """Say how sure the best is to be better than another one."""
    is_second = pair.second.name == best
    other = pair.first.name if is_second else pair.second.name
    found = pair.difference
    if found is None or found.difference is None or found.verdict is Verdict.CANNOT_SAY:
        why = found.reason if found is not None and found.reason else "it is not known"
        return f"whether it differs from {other} cannot be said: {why}"
    difference = found.difference if is_second else -found.difference
    if found.verdict is Verdict.WITHIN_NOISE:
        return f"beside {other} ({signed(difference)}) that is within noise"
    return f"beside {other} ({signed(difference)}) that is more than noise"
