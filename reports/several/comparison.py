"""Two studies side by side: what they ask, what they found, and whether that can be compared."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reports.baselines.citations import Protocol
from reports.baselines.comparability import BUDGET_OF_VIDEOS, CONDITION_OF_VIDEOS, IDENTITY
from reports.baselines.verdict import (
    FEWEST_SEEDS,
    DifferenceJudgement,
    Verdict,
    judge_difference,
)
from reports.folds import CROSS_VALIDATED
from reports.lineage import final_winners, places
from reports.measurements import cells_of
from reports.notation import value_text
from reports.several.facts import Found, StudyFacts, study_facts
from reports.tables.protocols import ALL_CLASSES, classes_known, measure
from trackers.dotted_paths import flatten_json
from trackers.folds import fold_count
from trackers.records import JsonValue, Outcome, StudyRecord

EQUAL_COMPUTE = 0.1  # by so much compute may differ and still be called equal
OF_THE_GROUND = ("data_fingerprint", "data_used", "numerics")  # facts that results depend on
HASH = 12  # characters of a fingerprint that are shown
NO_QUESTION = ("study", "description", "baselines", "weights")
# Fields of a protocol that make another question of it, beside those that a study itself names.
ANOTHER_QUESTION = {
    "dataset": IDENTITY["dataset"],
    "class_name": IDENTITY["class_name"],
    "split": CONDITION_OF_VIDEOS["split"],
}
HOW = {
    field: words
    for field, words in (CONDITION_OF_VIDEOS | BUDGET_OF_VIDEOS).items()
    if field not in (*ANOTHER_QUESTION, "selected_on")
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `visionstudy compare` tells."""

    first: StudyFacts
    second: StudyFacts
    settings: Mapping[str, tuple[JsonValue, JsonValue]]  # path -> in the first, in the second
    objections: tuple[str, ...]  # why their values may not be compared; () where they may
    cautions: tuple[str, ...]  # how the winners were trained and scored differently
    difference: DifferenceJudgement | None  # second minus first; None: not to be compared
    compute_ratio: float | None  # of the second to the first; None: one computed nothing

    @property
    def is_equal_compute(self) -> bool:
        """Whether both spent about as much on training."""
        return self.compute_ratio is not None and abs(self.compute_ratio - 1) <= EQUAL_COMPUTE


def compare_studies(first: StudyRecord, second: StudyRecord) -> Comparison:
    """Compare two studies by the winners that they settled on."""
    facts = study_facts(first), study_facts(second)
    protocols = winner_protocol(first), winner_protocol(second)
    objections = tuple(_objections((first, second), facts, protocols))
    difference = None if objections else _difference(facts[0].last, facts[1].last)
    if difference is not None and any(fold_count(each) is not None for each in (first, second)):
        difference = replace(
            difference, verdict=Verdict.CANNOT_SAY, low=None, high=None, reason=CROSS_VALIDATED
        )
    before, now = (each.spent.train_macs for each in facts)
    settings = settings_that_differ([first, second])
    return Comparison(
        first=facts[0],
        second=facts[1],
        settings={path: (a, b) for path, (a, b) in settings.items()},
        objections=objections,
        cautions=tuple(_differing(protocols, HOW)),
        difference=difference,
        compute_ratio=now / before if before and now else None,
    )


def settings_that_differ(studies: Sequence[StudyRecord]) -> dict[str, tuple[JsonValue, ...]]:
    """Return what studies ask differently, by path: a value per study; stages whole."""
    flat = [_flat(each.settings) for each in studies]
    found = {}
    for path in dict.fromkeys(path for each in flat for path in each):
        values = tuple(each.get(path) for each in flat)
        if path not in NO_QUESTION and any(value != values[0] for value in values[1:]):
            found[path] = values
    return found


def winner_protocol(study: StudyRecord) -> Protocol | None:
    """Return how the final winner's number was obtained; None without a single winner."""
    winners = final_winners(study, places(study))
    if len(winners) != 1:
        return None
    cells = cells_of(study, winners[0].configuration)
    cell = next((each for each in cells if each.outcome is Outcome.COMPLETE), None)
    if cell is None:
        return None
    split, _, metric = study.metric.rpartition("/")
    known = ", ".join(classes_known(cell)) or ALL_CLASSES
    measured = measure(study, cell, known, metric=metric, split=split)
    return measured.protocol if measured else None


def _flat(settings: Mapping[str, Any]) -> dict[str, JsonValue]:
    tree = settings.get("search", {}).get("tree") or ()
    search = {key: value for key, value in settings.get("search", {}).items() if key != "tree"}
    flat = flatten_json({**settings, "search": search})
    return flat | {f"search.tree.{each['stage']}": _set(each) for each in tree}


def _set(stage: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what a stage does not set."""
    return {key: value for key, value in stage.items() if value and key != "stage"}


def _objections(
    studies: tuple[StudyRecord, StudyRecord],
    facts: tuple[StudyFacts, StudyFacts],
    protocols: tuple[Protocol | None, Protocol | None],
) -> Iterator[str]:
    a, b = studies
    for name in ("metric", "direction", "select_on"):
        if getattr(a, name) != getattr(b, name):
            yield f"they choose by another {name}: {getattr(a, name)} and {getattr(b, name)}"
    if a.task != b.task:
        yield f"their tasks are {a.task} and {b.task}"
    for reason in _differing(protocols, ANOTHER_QUESTION):
        yield f"their {reason}"
    yield from _another_ground(a, b)
    for each in facts:
        if each.last is None:
            yield f"study '{each.name}' has settled on no single winner"


def _another_ground(a: StudyRecord, b: StudyRecord) -> Iterator[str]:
    """Say which facts that results depend on are known of both, and differ."""
    for fact in OF_THE_GROUND:
        before, now = a.environment.get(fact), b.environment.get(fact)
        if before is not None and now is not None and before != now:
            values = f"{_short_text(before)} and {_short_text(now)}"
            yield f"their {fact.replace('_', ' ')} differs: {values}"


def _short_text(fact: str) -> str:
    """Cut a hash to what tells it from another one."""
    return fact if len(fact) <= HASH else f"{fact[:HASH]}…"


def _differing(
    protocols: tuple[Protocol | None, Protocol | None], fields: Mapping[str, str]
) -> Iterator[str]:
    """Say which fields both protocols state, and state differently."""
    for field, words in fields.items():
        first, second = (getattr(each, field, None) for each in protocols)
        if first is not None and second is not None and first != second:
            yield f"{words} {value_text(first)} and {value_text(second)}"


def _difference(first: Found | None, second: Found | None) -> DifferenceJudgement | None:
    """Judge the winners, seed by seed where they share enough seeds."""
    if first is None or second is None:
        return None
    shared = [name for name in first.values if name in second.values]
    is_paired = len(shared) >= FEWEST_SEEDS
    values = [
        [each.values[name] for name in shared] if is_paired else list(each.values.values())
        for each in (second, first)
    ]
    return judge_difference(*values, is_paired=is_paired)
