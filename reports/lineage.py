"""Who inherits from whom: configurations across stages, and the path to a winner.

A configuration may appear in several stages under one id, so a place in the tree is a pair of
(stage index, configuration id).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from trackers.records import (
    CandidateRecord,
    ConfigurationRecord,
    DecisionRecord,
    StageRecord,
    StudyRecord,
)

Place: TypeAlias = tuple[int, str]  # (stage index, configuration id)


@dataclass(frozen=True, slots=True)
class Placed:
    """A configuration where it stands in the tree."""

    place: Place
    stage: StageRecord
    configuration: ConfigurationRecord
    parent: Place | None  # the nearest stage above that holds the parent; None at the root
    decision: DecisionRecord | None  # of its stage and group
    candidate: CandidateRecord | None  # what that decision knew about it

    @property
    def rank(self) -> int | None:
        """0 for the winner, 1 for the next branch of a beam; None when it was not kept."""
        if self.decision is None or self.configuration.id not in self.decision.winners:
            return None
        return self.decision.winners.index(self.configuration.id)


def places(study: StudyRecord) -> dict[Place, Placed]:
    """Every configuration of a study, stage by stage."""
    found: dict[Place, Placed] = {}
    for index, stage in enumerate(study.stages):
        for configuration in stage.configurations:
            placed = _place(found, index, stage, configuration)
            found[placed.place] = placed
    return found


def _place(
    above: dict[Place, Placed], index: int, stage: StageRecord, configuration: ConfigurationRecord
) -> Placed:
    decision = decision_for(stage, configuration)
    parent = next(
        (
            (i, configuration.parent)
            for i in range(index - 1, -1, -1)
            if configuration.parent is not None and (i, configuration.parent) in above
        ),
        None,
    )
    return Placed(
        place=(index, configuration.id),
        stage=stage,
        configuration=configuration,
        parent=parent,
        decision=decision,
        candidate=_candidate(stage, decision, configuration),
    )


def _candidate(
    stage: StageRecord, decision: DecisionRecord | None, configuration: ConfigurationRecord
) -> CandidateRecord | None:
    """What a decision knew of a configuration, or of the one with its cells if it is repeated."""
    known = decision.candidates if decision else ()
    own = next((each for each in known if each.configuration == configuration.id), None)
    if own is not None:
        return own
    alike = {each.id for each in stage.configurations if each.cells == configuration.cells}
    return next((each for each in known if each.configuration in alike), None)


def decision_for(stage: StageRecord, configuration: ConfigurationRecord) -> DecisionRecord | None:
    """The decision that judged a configuration: its group's, or the stage's only one."""
    for decision in stage.decisions:
        if any(c.configuration == configuration.id for c in decision.candidates):
            return decision
    return next((d for d in stage.decisions if d.group == configuration.group), None)


def path_to(found: dict[Place, Placed], place: Place) -> tuple[Placed, ...]:
    """The configurations from the root to a place, the place itself last."""
    path = [found[place]]
    while (parent := path[0].parent) is not None:
        path.insert(0, found[parent])
    return tuple(path)


def final_winners(study: StudyRecord, found: dict[Place, Placed]) -> tuple[Placed, ...]:
    """The winner of the last decided stage, one per group that decided for itself.

    A group that a later stage leaves out keeps its winner of the last stage that decided it.
    """
    latest: dict[str, Placed] = {}
    for index, decision in _decisions(study):
        if decision.group == "":
            latest.clear()  # one decision for all supersedes those of single groups
        elif "" in latest:
            del latest[""]
        if decision.winners:
            latest[decision.group] = found[(index, decision.winners[0])]
    return tuple(latest.values())


def _decisions(study: StudyRecord) -> Iterator[tuple[int, DecisionRecord]]:
    for index, stage in enumerate(study.stages):
        for decision in stage.decisions:
            yield index, decision
