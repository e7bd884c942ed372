"""Whether a study found any difference at all, over all of its decisions together.

A stage's own intervals are right in 95 of 100 stages; a study of many stages would see a
difference somewhere much more often than that where there is none. So each decision says how
often one as large would come by chance among all configurations tried up to it, and the decisions
share the error by Holm's rule (1979, A simple sequentially rejective multiple test procedure).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.notation import join_words, percent, plural
from trackers.records import DecisionRecord, StudyRecord


@dataclass(frozen=True, slots=True)
class StudyVerdict:
    """What holds of a study as a whole."""

    told: tuple[str, ...]  # decisions whose best and worst differ, by stage and class
    not_told: tuple[str, ...]  # those where that may be chance
    untested: tuple[str, ...]  # those without an interval over seeds
    confidence: float | None  # of the study; None: nothing was compared
    why_untested: str = ""  # a sentence, where no decision could be tested

    @property
    def sentence(self) -> str:
        """Say it; "" where nothing was compared."""
        if self.confidence is None:
            return ""
        level = f"at {percent(self.confidence)} confidence"
        tested = len(self.told) + len(self.not_told)
        if not tested:
            return self.why_untested
        decisions = f"Over its {plural(tested, 'decision')} together the study"
        if not self.told:
            return f"{decisions} shows no difference {level}; what was chosen may be chance."
        rest = f"; {join_words(self.not_told)} may be chance" if self.not_told else ""
        return f"{decisions} shows a difference in {join_words(self.told)} {level}{rest}."


def study_verdict(study: StudyRecord) -> StudyVerdict:
    """Judge the decisions of a study's tree together."""
    return verdict([decision for stage in study.stages for decision in stage.decisions])


def verdict(decisions: Sequence[DecisionRecord]) -> StudyVerdict:
    """Judge decisions together."""
    compared = [each for each in decisions if sum(bool(c.values) for c in each.candidates) > 1]
    told = _holm(compared)
    by_name = {_name(each): each for each in compared}
    return StudyVerdict(
        told=tuple(name for name, each in by_name.items() if each in told),
        not_told=tuple(
            name for name, each in by_name.items() if each.chance is not None and each not in told
        ),
        untested=tuple(name for name, each in by_name.items() if each.chance is None),
        confidence=min((each.confidence for each in compared), default=None),
        why_untested=_why_untested(compared),
    )


def _why_untested(decisions: Sequence[DecisionRecord]) -> str:
    if any(each.interval == "images" for each in decisions):
        return (
            "Intervals are over images: they say nothing of other seeds, which may turn every "
            "choice."
        )
    if any(c.difference_low is not None for each in decisions for c in each.candidates):
        return ""  # decided by an older release, which told no chance
    return (
        "Over the study as a whole no difference is told from chance: one replicate gives no "
        "interval, and another seed may turn every choice."
    )


def _holm(decisions: Sequence[DecisionRecord]) -> list[DecisionRecord]:
    """Return the decisions whose differences hold together."""
    tested = sorted(
        (each for each in decisions if each.chance is not None),
        key=lambda each: each.chance or 0.0,
    )
    told: list[DecisionRecord] = []
    for left, each in zip(range(len(tested), 0, -1), tested, strict=True):
        if each.chance is None or each.chance * left > 1 - each.confidence:
            break
        told.append(each)
    return told


def _name(decision: DecisionRecord) -> str:
    return f"{decision.stage} ({decision.group})" if decision.group else decision.stage
