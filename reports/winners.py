"""The trained cells behind each stage's winner, each once however many stages it won.

What they kept is of the settings that they were trained and first scored with: a threshold that a
later stage chose is not in it. So they are called winners of stages that train, and of no other.
"""

from dataclasses import dataclass

from reports.lineage import Placed, places
from reports.measurements import cells_of, classes_of, trained_cell
from reports.notation import configuration_label, join_words
from trackers.records import CellRecord, Outcome, StudyRecord


@dataclass(frozen=True, slots=True)
class Winner:
    """A configuration that won one stage or several; where classes have their own, of one."""

    stages: tuple[str, ...]  # that it won and that train, in order; () where it only inherited
    last: int  # index of the last stage that it won, of any kind
    label: str  # what the first of them varied in training
    group: str  # class of a one-model-per-class study, else ""
    cells: tuple[CellRecord, ...]  # trained and complete, by seed

    @property
    def name(self) -> str:
        """What it won, and with what: "learning rate 1e-3 (winner of learning rate)"."""
        return f"{self.label} (winner of {join_words(self.stages)})" if self.stages else self.label


def winners(study: StudyRecord) -> tuple[Winner, ...]:
    """Collect the winners in the order of the stages that they won first."""
    found: dict[tuple[str, ...], Winner] = {}
    for placed in places(study).values():
        if placed.rank != 0:
            continue
        for winner in _of_each_class(study, placed):
            key = (winner.group, *(cell.id for cell in winner.cells))
            known = found.get(key)
            stages = (*known.stages, *winner.stages) if known else winner.stages
            label = known.label if known else winner.label
            unique = tuple(dict.fromkeys(stages))
            last = max(known.last, winner.last) if known else winner.last
            found[key] = Winner(unique, last, label, winner.group, winner.cells)
    return tuple(found.values())


def final_winners(study: StudyRecord) -> tuple[Winner, ...]:
    """Of each class, or of all together, the winner of the last stage that has one."""
    last: dict[str, Winner] = {}
    for winner in sorted(winners(study), key=lambda w: w.last):
        last[winner.group] = winner
    return tuple(last.values())


def _of_each_class(study: StudyRecord, placed: Placed) -> list[Winner]:
    cells = [trained_cell(study, cell) for cell in cells_of(study, placed.configuration)]
    complete = [cell for cell in cells if cell.outcome is Outcome.COMPLETE]
    # A stage after training varies nothing that its cells were trained with.
    varied = placed.configuration.shown
    label = "inherited settings" if placed.stage.after_training else configuration_label(varied)
    stages = () if placed.stage.after_training else (placed.stage.name,)
    last = placed.place[0]
    made = []
    for group in classes_of(complete) or ("",):
        members = {cell.id: cell for cell in complete if cell.group == group}
        if members:
            by_seed = tuple(sorted(members.values(), key=lambda cell: cell.seed))
            made.append(Winner(stages, last, label, group, by_seed))
    return made
