"""Two studies side by side: what they ask, what they found, and whether that can be compared."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from studies.explaining.study_facts import StudyFacts, study_facts
from studies.spec.settings import flatten_json
from studies.tree.intervals import Interval, t_interval
from trackers.records import JsonValue, StudyRecord

EQUAL_COMPUTE = 0.1  # by so much compute may differ and still be called equal
CONFIDENCE = 0.95
OF_THE_GROUND = ("data_fingerprint", "data_used", "numerics")  # facts that results depend on
NO_QUESTION = ("study", "description", "baselines", "weights")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `visionstudy compare` tells."""

    first: StudyFacts
    second: StudyFacts
    settings: Mapping[str, tuple[JsonValue, JsonValue]]  # path -> in the first, in the second
    objections: tuple[str, ...]  # why their values may not be compared; () where they may
    difference: Interval | None  # second minus first; None: not comparable, or no winners
    is_paired: bool  # over the seeds that both have
    compute_ratio: float | None  # of the second to the first; None: one computed nothing

    @property
    def is_equal_compute(self) -> bool:
        """Whether both spent about as much on training."""
        return self.compute_ratio is not None and abs(self.compute_ratio - 1) <= EQUAL_COMPUTE


def compare_studies(first: StudyRecord, second: StudyRecord) -> Comparison:
    """Compare two studies by the winners that they settled on."""
    facts = study_facts(first), study_facts(second)
    objections = tuple(_objections(first, second, *facts))
    difference, is_paired = (None, False) if objections else _difference(*facts)
    before, now = (each.spent.train_macs for each in facts)
    return Comparison(
        first=facts[0],
        second=facts[1],
        settings=_settings(first.settings, second.settings),
        objections=objections,
        difference=difference,
        is_paired=is_paired,
        compute_ratio=now / before if before and now else None,
    )


def _settings(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> dict[str, tuple[JsonValue, JsonValue]]:
    """Return what they ask differently; stages whole, by their names."""
    before, now = (_flat(each) for each in (first, second))
    return {
        path: (before.get(path), now.get(path))
        for path in dict.fromkeys((*before, *now))
        if before.get(path) != now.get(path) and path not in NO_QUESTION
    }


def _flat(settings: Mapping[str, Any]) -> dict[str, JsonValue]:
    search = {key: value for key, value in settings["search"].items() if key != "tree"}
    stages = {each["stage"]: _short(each) for each in settings["search"]["tree"]}
    flat = flatten_json({**settings, "search": search})
    return flat | {f"search.tree.{name}": stage for name, stage in stages.items()}


def _short(stage: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what a stage does not set."""
    return {key: value for key, value in stage.items() if value and key != "stage"}


def _objections(
    first: StudyRecord, second: StudyRecord, a: StudyFacts, b: StudyFacts
) -> Iterator[str]:
    for name in ("metric", "direction", "select_on"):
        if getattr(a, name) != getattr(b, name):
            yield f"they choose by another {name}: {getattr(a, name)} and {getattr(b, name)}"
    if first.task != second.task:
        yield f"their tasks are {first.task} and {second.task}"
    for fact in OF_THE_GROUND:
        before, now = first.environment.get(fact), second.environment.get(fact)
        if before is not None and now is not None and before != now:
            yield f"their {fact.replace('_', ' ')} differs: {before} and {now}"
    for each in (a, b):
        if each.last is None:
            yield f"study '{each.name}' has settled on no single winner"


def _difference(a: StudyFacts, b: StudyFacts) -> tuple[Interval | None, bool]:
    """Compare the winners, seed by seed where they share seeds."""
    if a.last is None or b.last is None:
        return None, False
    shared = [name for name in a.last.values if name in b.last.values]
    if not shared:
        return Interval(b.last.mean - a.last.mean, None, None), False
    pairs = [b.last.values[name] - a.last.values[name] for name in shared]
    return t_interval(pairs, CONFIDENCE), True
