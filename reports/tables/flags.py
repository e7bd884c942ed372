"""What a reader must know before believing the numbers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from reports.folds import fold_note
from reports.leaky_splits import leak_gaps, leak_warning
from reports.lineage import Placed, places
from reports.measurements import outcome_text, planned_total, seeds_of
from reports.notation import (
    join_words,
    metric_name,
    plural,
    sentence_case,
    setting_name,
    value_text,
)
from reports.tables.answer import tied_with
from trackers.records import StudyRecord

# With n paired seeds the smallest two-sided p of a sign or permutation test is 2 / 2**n, which
# falls below 0.05 only from six seeds on.
SEEDS_FOR_SIGNIFICANCE = 6


@dataclass(frozen=True, slots=True)
class Flag:
    """One caution."""

    level: str  # "warning": the numbers may mislead; "note": good to know
    text: str


def study_flags(study: StudyRecord) -> tuple[Flag, ...]:
    """Collect every caution, the gravest first."""
    found = [*_unfinished(study), *_leaks(study), *_selection(study), *_objective(study)]
    found += [
        *_incomplete(study),
        *_assemblies(study),
        *_seeds(study),
        *_missing(study),
        *_ties(study),
    ]
    found += [*_edges(study), *_warnings(study), *_cost(study)]
    return tuple(sorted(found, key=lambda flag: flag.level != "warning"))


def _unfinished(study: StudyRecord) -> Iterator[Flag]:
    if not study.is_finished:
        why = f": {study.note.rstrip('.')}" if study.note else ""
        yield Flag("warning", f"The study is not finished{why}. What follows may still change.")


def _leaks(study: StudyRecord) -> Iterator[Flag]:
    warning = leak_warning(study)
    if warning:
        yield Flag("warning", " ".join([warning, *map(sentence_case, leak_gaps(study))]))


def _selection(study: StudyRecord) -> Iterator[Flag]:
    if study.select_on == "test":
        yield Flag(
            "warning",
            "Configurations were selected on the test split, so the winner's test score is "
            "optimistic and is no estimate for new images.",
        )
        return
    results = len(study.test_scores) + sum("test" in each.images for each in study.assemblies)
    if study.test_looks > results:
        yield Flag(
            "warning",
            f"The test split was scored {plural(study.test_looks, 'time')} for "
            f"{plural(results, 'result')}; each further look weakens it.",
        )


def _objective(study: StudyRecord) -> Iterator[Flag]:
    if "thesis" in study.metric:
        yield Flag(
            "warning",
            f"The objective, {metric_name(study.metric)}, rises with missed objects and is 1 for "
            "a detector that finds nothing: choose by AP50, and compare by this one.",
        )


def _incomplete(study: StudyRecord) -> Iterator[Flag]:
    names = [outcome_text(cell) for cell in study.cells.values()]
    unknown = planned_total(study) - len(names)
    not_run = names.count("not run") + unknown
    if not_run:
        yield Flag("warning", f"{plural(not_run, 'planned cell')} did not run.")
    failed = [
        f"{names.count(outcome)} {outcome}"
        for outcome in ("failed", "infeasible", "lost", "stopped")
        if outcome in names
    ]
    if failed:
        yield Flag("warning", f"Without a result: {join_words(failed)}. None is scored as 0.")


def _assemblies(study: StudyRecord) -> Iterator[Flag]:
    without = [f"seed {each.seed}" for each in study.assemblies if not each.ways]
    if without:
        yield Flag("warning", f"No result of the assembly of {join_words(without)}.")


def _seeds(study: StudyRecord) -> Iterator[Flag]:
    chose = {c for stage in study.stages for each in stage.configurations for c in each.cells}
    seeds = len(seeds_of(cell for cell in study.cells.values() if cell.id in chose))
    if note := fold_note(study):
        once = " With one seed, what a seed adds counts as what a fold adds." * (seeds == 1)
        yield Flag("note", note + once)
    elif seeds == 1:
        yield Flag(
            "warning",
            "One seed per configuration: differences between configurations cannot be told from "
            "chance, and no interval over seeds exists.",
        )
    elif 1 < seeds < SEEDS_FOR_SIGNIFICANCE:
        yield Flag(
            "note",
            f"{seeds} seeds: intervals suppose that what seeds add is normally distributed, which "
            "so few cannot show. No claim of significance is possible by ranks: even if one "
            f"configuration wins on every seed, p is at least {2 / 2**seeds:.2g}; "
            f"{SEEDS_FOR_SIGNIFICANCE} seeds are needed to reach 0.05.",
        )


def _missing(study: StudyRecord) -> Iterator[Flag]:
    counts = {
        stage.name: sum(
            bool(c.missing and c.values) for d in stage.decisions for c in d.candidates
        )
        for stage in study.stages
    }
    short = [f"{stage} ({count})" for stage, count in counts.items() if count]
    if short:
        yield Flag(
            "warning",
            "Configurations averaged over fewer replicates than planned, because cells are "
            f"missing: {join_words(short)}.",
        )


def _ties(study: StudyRecord) -> Iterator[Flag]:
    tied = []
    for stage in study.stages:
        for decision in stage.decisions:
            count = len(tied_with(decision))
            where = f"{stage.name}, {decision.group}" if decision.group else stage.name
            if count > 1:
                tied.append(f"{where} ({count} of {len(decision.candidates)})")
    if tied:
        yield Flag("note", f"Not told apart from the best mean: {join_words(tied)}.")


def _warnings(study: StudyRecord) -> Iterator[Flag]:
    """What trials warned of while they ran, with how many cells it concerns."""
    topics = Counter(topic for cell in study.cells.values() for topic in cell.warnings)
    for topic, count in topics.items():
        yield Flag("note", f"While {plural(count, 'cell')} ran: {topic.rstrip('.')}.")


def _cost(study: StudyRecord) -> Iterator[Flag]:
    """Multiply-accumulates are those of a square picture."""
    if any(cell.settings.get("data.resize") == "shorter_side" for cell in study.cells.values()):
        yield Flag(
            "note",
            "Multiply-accumulates are counted on square pictures, but with data.resize "
            "shorter_side most are longer: the training cost is a lower bound.",
        )


def _edges(study: StudyRecord) -> Iterator[Flag]:
    """Winners at the end of what was tried: the optimum may lie beyond."""
    kept = (placed for placed in places(study).values() if placed.rank == 0)
    found = [edge for placed in kept for edge in _edges_of(placed)]
    if found:
        yield Flag(
            "note",
            f"At the end of what was tried, so the best may lie beyond: {join_words(found)}.",
        )


def _edges_of(placed: Placed) -> Iterator[str]:
    for setting, choices in placed.stage.vary.items():
        value = placed.configuration.varied.get(setting)
        numbers = _numbers(choices)
        if len(numbers) > 2 and value in (numbers[0], numbers[-1]):
            end = "smallest" if value == numbers[0] else "largest"
            group = f", {placed.configuration.group}" if placed.configuration.group else ""
            yield f"{setting_name(setting)} {value_text(value)} ({end}{group})"


def _numbers(choices: object) -> list[float]:
    if not isinstance(choices, list | tuple):
        return []
    numbers = [c for c in choices if isinstance(c, int | float) and not isinstance(c, bool)]
    return sorted(numbers) if len(numbers) == len(choices) else []
