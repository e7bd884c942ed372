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
        judged = _Judged(stage)
        for configuration in stage.configurations:
            placed = _place(found, index, stage, configuration, judged)
            found[placed.place] = placed
    return found


class _Judged:
    """What the decisions of a stage know, by configuration: stages may have thousands."""

    def __init__(self, stage: StageRecord) -> None:
        self._stage = stage
        self._own: dict[str, tuple[DecisionRecord, CandidateRecord]] = {}
        self._alike: dict[tuple[str, ...], list[str]] = {}
        for decision in stage.decisions:
            for candidate in decision.candidates:
                self._own.setdefault(candidate.configuration, (decision, candidate))
        for each in stage.configurations:
            self._alike.setdefault(each.cells, []).append(each.id)

    def decision(self, configuration: ConfigurationRecord) -> DecisionRecord | None:
        """The decision that judged it: its group's, or the stage's only one."""
        if configuration.id in self._own:
            return self._own[configuration.id][0]
        of_group = (d for d in self._stage.decisions if d.group == configuration.group)
        return next(of_group, None)

    def candidate(self, configuration: ConfigurationRecord) -> CandidateRecord | None:
        """What that decision knew of it, or of the one with its cells if it is repeated."""
        decision = self.decision(configuration)
        for name in (configuration.id, *self._alike.get(configuration.cells, ())):
            known = self._own.get(name)
            if known is not None and known[0] is decision:
                return known[1]
        return None


def _place(
    above: dict[Place, Placed],
    index: int,
    stage: StageRecord,
    configuration: ConfigurationRecord,
    judged: _Judged,
) -> Placed:
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
        decision=judged.decision(configuration),
        candidate=judged.candidate(configuration),
    )


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
