"""What a search starts with: configurations to try first, and what was measured before.

A cell's identity names everything that can change its result, whichever study it belongs to. So
what an earlier study measured of a search's space is told to the sampler, and not trained again,
where the identities are the same; of a study that held other settings or other data, or chose
epochs by another objective or limited its trials otherwise, the best configuration alone is tried
first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

from sqlalchemy import RowMapping

from studies.search.measured import Measured
from studies.search.space import Space
from studies.search.told import ConfigurationResult, configuration_result
from studies.spec.diff import unlike
from studies.spec.problems import did_you_mean
from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult
from studies.tree.grown import Branch
from studies.tree.planning import Planner
from studies.tree.stages import Stage
from trackers.dotted_paths import flatten_json
from trackers.records import Outcome

THESIS = "thesis"  # who proposed what a study file lists under `warm_start.values`


class UnknownEarlierStudyError(ValueError):
    """A study to learn from is not in the workspace."""


class EarlierStudies(Protocol):
    """The ledger, as far as it is asked here."""

    def study_names(self) -> tuple[str, ...]:
        """Return the names of all studies, oldest first."""

    def study(self, name: str) -> RowMapping | None:
        """Return a study's row, or None."""

    def cells(self, study: str) -> tuple[RowMapping, ...]:
        """Return the planned cells in running order."""

    def results(self, study: str) -> dict[str, CellResult]:
        """Return what came of the cells that ended."""


class ReadCell(Protocol):
    """Reads what a cell's trials reported."""

    def __call__(self, study: str, *, cell: str) -> Measured:
        """Read the event logs of a cell of a study."""


@dataclass(frozen=True, slots=True)
class KnownPoint:
    """A configuration that was measured elsewhere."""

    varied: Mapping[str, Any]
    result: ConfigurationResult


@dataclass(frozen=True, slots=True)
class Start:
    """What a search starts with."""

    first: Sequence[tuple[Mapping[str, Any], str]] = ()  # settings to try, and who named them
    known: Sequence[KnownPoint] = field(default_factory=list)


NOTHING_KNOWN = Start()
# Of a stage, what a search of it inherits, its groups, and the planner of the study.
StartOf: TypeAlias = Callable[[Stage, Branch, tuple[str, ...], Planner], Start]


def start_of_file(
    stage: Stage, _branch: Branch, _groups: tuple[str, ...], _planner: Planner
) -> Start:
    """Return what the study file itself lists, without a look at other studies."""
    warm = stage.rules.warm_start
    return Start([(point, THESIS) for point in warm.values]) if warm else NOTHING_KNOWN


def check_earlier_studies(spec: StudySpec, names: Sequence[str]) -> None:
    """Require the studies to learn from.

    Args:
        spec: The study.
        names: Of all studies in the workspace.

    Raises:
        UnknownEarlierStudyError: One is not there, or is the study itself.
    """
    joint = [spec.search.joint] if spec.search.joint is not None else []
    for rules in (*joint, *spec.search.tree):
        for name in rules.warm_start.studies if rules.warm_start else ():
            if name == spec.study:
                raise UnknownEarlierStudyError(
                    f"warm_start.studies must name other studies, got '{name}', which knows its "
                    "own results already; remove it"
                )
            if name not in names:
                hint = did_you_mean(name, names)
                raise UnknownEarlierStudyError(
                    f"warm_start.studies names '{name}', which is not in the workspace{hint} "
                    f"(there: {', '.join(names) or 'no study yet'})"
                )


def search_start(
    stage: Stage,
    branch: Branch,
    groups: tuple[str, ...],
    planner: Planner,
    *,
    earlier: EarlierStudies,
    measured: ReadCell,
) -> Start:
    """Return what a search starts with.

    Args:
        stage: With the rules of the search.
        branch: What it inherits.
        groups: Measured together.
        planner: Of the study; what is planned here stays out of it.
        earlier: The workspace's ledger.
        measured: Study and `cell` -> what the cell's trials reported.
    """
    warm = stage.rules.warm_start
    if warm is None:
        return Start()
    apart = replace(planner, results={}, cells={}, trained={})
    look = _Look(stage, branch, groups, apart, Space(stage))
    first: list[tuple[Mapping[str, Any], str]] = [(point, THESIS) for point in warm.values]
    known: list[KnownPoint] = []
    for name in warm.studies:
        points = _points(look.space, earlier, name)
        told = []
        if _is_comparable(earlier.study(name), planner.spec):
            told = list(_known(look, points, earlier.results(name), measured, name))
        known += told
        best = None if told else _best(look, points, earlier, name)
        if best is not None and best not in [varied for varied, _ in first]:
            first.append((best, f"study {name}"))
    return Start(first[: stage.trials] if stage.work is None else first, known)


@dataclass(frozen=True, slots=True)
class _Look:
    """The search that something is looked up for."""

    stage: Stage
    branch: Branch
    groups: tuple[str, ...]
    planner: Planner
    space: Space


def _is_comparable(earlier: RowMapping | None, spec: StudySpec) -> bool:
    """Whether the same cell would have had the same result in an earlier study."""
    if earlier is None:
        return False
    return not unlike(earlier["resolved"], spec.model_dump(mode="json", by_alias=True))


def _points(space: Space, earlier: EarlierStudies, name: str) -> dict[str, dict[str, Any]]:
    """Return cell -> the point of the space that it lies at, of those inside it."""
    found = {}
    for row in earlier.cells(name):
        point = space.point(_with_parts(row["settings"]))
        if point is not None:
            found[row["id"]] = point
    return found


def _with_parts(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by dotted path, single ones and whole parts."""
    parts = {}

    def walk(nested: Mapping[str, Any], prefix: str) -> None:
        for key, value in nested.items():
            if isinstance(value, Mapping):
                parts[prefix + key] = value
                walk(value, f"{prefix}{key}.")

    walk(settings, "")
    return {**parts, **flatten_json(settings)}


def _known(
    look: _Look,
    points: Mapping[str, Mapping[str, Any]],
    results: Mapping[str, CellResult],
    measured: ReadCell,
    name: str,
) -> Iterator[KnownPoint]:
    """Yield the points whose cells are the very ones that this search would train."""
    seen: list[Mapping[str, Any]] = []
    for point in points.values():
        if point in seen:
            continue
        seen.append(point)
        candidate, _ = look.planner.configuration(
            look.stage, look.branch, look.groups, varied=point, id=""
        )
        result = configuration_result(
            candidate,
            results,
            look.planner.spec,
            rules=look.stage.rules,
            measured=lambda cell: measured(name, cell=cell),
        )
        if result is not None:
            yield KnownPoint(point, replace(result, attributes={"known from": f"study {name}"}))


def _best(
    look: _Look,
    points: Mapping[str, Mapping[str, Any]],
    earlier: EarlierStudies,
    name: str,
) -> Mapping[str, Any] | None:
    """Return the best point of an earlier study by this study's objective, mean over cells."""
    objective = look.planner.spec.objective
    scores: dict[int, list[float]] = {}
    distinct: list[Mapping[str, Any]] = []
    results = earlier.results(name)
    for cell, point in points.items():
        if point not in distinct:
            distinct.append(point)
        result = results.get(cell)
        value = None if result is None else result.metrics.get(objective.metric)
        if result is not None and result.outcome is Outcome.COMPLETE and value is not None:
            scores.setdefault(distinct.index(point), []).append(value)
    if not scores:
        return None
    sign = 1 if objective.direction == "maximize" else -1
    return distinct[max(scores, key=lambda at: sign * sum(scores[at]) / len(scores[at]))]
