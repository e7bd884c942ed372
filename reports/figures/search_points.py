"""What a study tried, in the order in which it was tried: one point per configuration.

Of a joint search these are its proposals, of a tree the values of every stage. A configuration's
value is its mean over complete cells; of one that was pruned, the mean of what its cells had
reached is kept apart, as it is no result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.lineage import Place, Placed, path_to, places
from reports.measurements import (
    NOT_RUN,
    OUTCOME_ORDER,
    RUNNING,
    cells_of,
    classes_of,
    finite,
    mean,
    outcome_text,
    value_of,
)
from reports.notation import configuration_label
from trackers.records import CellRecord, JsonValue, StudyRecord


@dataclass(frozen=True, slots=True)
class Tried:
    """One configuration."""

    number: int  # 1-based, in the order of the stages and their proposals
    stage: str
    label: str
    outcome: str  # "complete" with a value; else what its cells came to
    value: float | None  # mean over complete cells
    reached: float | None  # without a value: where its cells stopped, mean of the objective
    settings: Mapping[str, JsonValue]  # dotted path -> value, of all settings the study varies
    varied: frozenset[str]  # those of them that its stage varied


@dataclass(frozen=True, slots=True)
class Search:
    """All that was tried; where each class has its own network, of one class.

    Stages may leave classes out: only what is of one class can be compared through all of them.
    """

    group: str
    metric: str
    maximize: bool
    paths: tuple[str, ...]  # the settings that the study varies
    tried: tuple[Tried, ...]  # those with a cell that ran or runs no more

    @property
    def known(self) -> tuple[Tried, ...]:
        """Those with a value."""
        return tuple(each for each in self.tried if each.value is not None)

    @property
    def best(self) -> Tried | None:
        """The best of them; the first, where several are as good."""
        sign = 1.0 if self.maximize else -1.0
        return max(self.known, key=lambda each: sign * (each.value or 0.0), default=None)

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that tried anything, in order."""
        return tuple(dict.fromkeys(each.stage for each in self.tried))


def searches(study: StudyRecord) -> tuple[Search, ...]:
    """Collect what was tried, of each class that has its own network, else once."""
    found = places(study)
    groups = classes_of(study.cells.values())
    made = (_search(study, found, group) for group in groups or ("",))
    return tuple(each for each in made if each.tried)


def _search(study: StudyRecord, found: Mapping[Place, Placed], group: str) -> Search:
    members = [
        p
        for p in found.values()
        if any(cell.group == group for cell in cells_of(study, p.configuration))
    ]
    paths = tuple(dict.fromkeys(path for p in members for path in p.configuration.varied))
    tried: list[Tried] = []
    for placed in members:
        cells = [c for c in cells_of(study, placed.configuration) if group == c.group]
        outcome = _outcome(cells)
        if outcome not in (NOT_RUN, RUNNING):
            settings = _settings(study, dict(found), placed, paths)
            tried.append(_tried(study, placed, cells, len(tried) + 1, settings))
    return Search(group, study.metric, study.direction == "maximize", paths, tuple(tried))


def _tried(
    study: StudyRecord,
    placed: Placed,
    cells: Sequence[CellRecord],
    number: int,
    settings: Mapping[str, JsonValue],
) -> Tried:
    value = mean(value_of(cell, study.metric) for cell in cells)
    return Tried(
        number=number,
        stage=placed.stage.name,
        label=configuration_label(placed.configuration.shown),
        outcome="complete" if value is not None else _outcome(cells),
        value=value,
        reached=_reached(cells, study.metric) if value is None else None,
        settings=settings,
        varied=frozenset(placed.configuration.varied),
    )


def _outcome(cells: Sequence[CellRecord]) -> str:
    """Return the worst that became of the cells that ended."""
    found = {outcome_text(cell) for cell in cells}
    return next((name for name in OUTCOME_ORDER if name in found - {NOT_RUN, RUNNING}), NOT_RUN)


def _reached(cells: Sequence[CellRecord], metric: str) -> float | None:
    ends = [cell.epochs[-1].metrics for cell in cells if cell.epochs]
    twin = f"val/{metric.split('/', 1)[-1]}"  # epochs never see the test split
    return mean(finite(each.get(metric, each.get(twin))) for each in ends)


def _settings(
    study: StudyRecord, found: dict[Place, Placed], placed: Placed, paths: Sequence[str]
) -> dict[str, JsonValue]:
    """Return what a configuration has of the varied settings; what it lacks is left out."""
    own: dict[str, JsonValue] = {}
    for each in path_to(found, placed.place):
        own |= each.configuration.shown
    cells = cells_of(study, placed.configuration)
    known = {**study.base, **(cells[0].settings if cells else {})}
    return {path: own.get(path, known.get(path)) for path in paths if path in own or path in known}
