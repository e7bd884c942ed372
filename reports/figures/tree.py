"""Which way did the search go? The hyperparameter tree with its winning path.

Stages are columns, values are nodes; `tree_layouts` places them, `tree_figure` draws.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from reports.lineage import Place, Placed, final_winners, path_to, places
from reports.measurements import cells_of, mean, outcome_text, rank, value_of
from reports.notation import configuration_label, interval, plural, score, short_labels, value_text
from trackers.records import JsonValue, StageRecord, StudyRecord

MOST_NODES = 14  # per stage; a sampled stage shows its best and a count of the others
ROOT = "base"


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One value of a stage, where it is drawn."""

    key: str
    column: int  # into `TreeLayout.columns`
    row: float  # distance from the column's centre, in rows, down
    label: str
    score: float | None
    status: str  # "root", "winning", "kept", "tried", "empty" (ran, no result), "planned"
    detail: tuple[str, ...]  # lines shown on hover
    parent: str | None


@dataclass(frozen=True, slots=True)
class TreeLayout:
    """A placed tree; with groups, one group's."""

    group: str
    columns: tuple[str, ...]  # heads, left to right: the root if it is drawn, then the stages
    nodes: tuple[TreeNode, ...]
    metric: str

    @property
    def winning_path(self) -> tuple[str, ...]:
        """Labels of the winning nodes, first stage first."""
        return tuple(node.label for node in self.nodes if node.status == "winning")

    @property
    def rows(self) -> int:
        """Nodes of the fullest column."""
        columns = [node.column for node in self.nodes]
        return max(columns.count(column) for column in columns)


def tree_layouts(study: StudyRecord) -> tuple[TreeLayout, ...]:
    """Place a study's tree; when classes decide for themselves, one tree per class."""
    found = places(study)
    groups = dict.fromkeys(p.configuration.group for p in found.values() if p.configuration.group)
    return tuple(_layout(study, found, group) for group in groups or [""])


def _layout(study: StudyRecord, found: dict[Place, Placed], group: str) -> TreeLayout:
    shown = {place: p for place, p in found.items() if p.configuration.group in ("", group)}
    winners = [w for w in final_winners(study, found) if w.configuration.group in ("", group)]
    winning = {p.place for w in winners for p in path_to(found, w.place)}
    # A stage that measures the base settings is the root itself.
    measures_base = bool(study.stages) and not study.stages[0].vary
    heads = [] if measures_base else ["start"]
    nodes = [_root(study) for _ in heads]
    for index, stage in enumerate(study.stages):
        members = [p for p in shown.values() if p.place[0] == index]
        column = index + len(heads)
        if members:
            nodes += _tried(study, members, winning, column)
        else:
            nodes += _planned(stage, column, _waiting_parent(nodes))
    columns = (*heads, *(stage.name for stage in study.stages))
    return TreeLayout(group, columns, tuple(nodes), study.metric)


def _root(study: StudyRecord) -> TreeNode:
    return TreeNode(ROOT, 0, 0.0, "base", None, "root", _base_lines(study), None)


def _base_lines(study: StudyRecord) -> tuple[str, ...]:
    varied = dict.fromkeys(path for stage in study.stages for path in stage.vary)
    base = {path: study.base[path] for path in varied if path in study.base}
    return ("Base settings", *(f"{configuration_label({k: v})}" for k, v in base.items()))


def _waiting_parent(nodes: Sequence[TreeNode]) -> str | None:
    """Where a stage that waits will hang: the winner above it, else the node in the middle."""
    if not nodes:
        return None
    last = [node for node in nodes if node.column == nodes[-1].column]
    winning = [node.key for node in last if node.status == "winning"]
    return winning[0] if winning else last[(len(last) - 1) // 2].key


def _tried(
    study: StudyRecord, members: list[Placed], winning: set[Place], column: int
) -> list[TreeNode]:
    shown, left_out = _worth_drawing(study, members, winning)
    count = len(shown) + bool(left_out)
    labels = short_labels([p.configuration.varied for p in shown])
    nodes = [
        TreeNode(
            key=_key(p.place),
            column=column,
            row=row - (count - 1) / 2,
            label=label,
            score=_score(study, p),
            status=_status(study, p, winning),
            detail=_details(study, p),
            parent=_key(p.parent) if p.parent else ROOT if column else None,
        )
        for row, (p, label) in enumerate(zip(shown, labels, strict=True))
    ]
    if left_out:
        text = f"+ {len(left_out)} others"
        parent = nodes[-1].parent
        row = (count - 1) / 2
        detail = (f"{plural(len(left_out), 'configuration')} with lower ranks; see the table.",)
        nodes.append(
            TreeNode(f"{column}/others", column, row, text, None, "tried", detail, parent)
        )
    return nodes


def _worth_drawing(
    study: StudyRecord, members: list[Placed], winning: set[Place]
) -> tuple[list[Placed], list[Placed]]:
    if len(members) <= MOST_NODES:
        return members, []
    order = rank([_score(study, p) for p in members], study.direction)
    must = [i for i, p in enumerate(members) if p.place in winning or p.rank is not None]
    rest = [i for i in order if i not in must]
    kept = sorted([*must, *rest][: max(MOST_NODES - 1, len(must))])
    return [members[i] for i in kept], [p for i, p in enumerate(members) if i not in kept]


def _planned(stage: StageRecord, column: int, parent: str | None) -> list[TreeNode]:
    labels = _planned_labels(stage.vary, together=stage.together)
    why = f"Planned: {stage.name} waits for the stage above ({stage.planned_cells} cells)."
    return [
        TreeNode(
            key=f"{column}/planned/{row}",
            column=column,
            row=row - (len(labels) - 1) / 2,
            label=label,
            score=None,
            status="planned",
            detail=(why,),
            parent=parent,
        )
        for row, label in enumerate(labels)
    ]


def _planned_labels(vary: object, *, together: bool) -> list[str]:
    if not isinstance(vary, dict) or not vary:
        return ["base"]
    choices = list(vary.values())
    if not all(isinstance(c, list | tuple) for c in choices):
        return [" · ".join(_range_text(c) for c in choices)]
    combinations = zip(*choices, strict=True) if together else product(*choices)
    labels = short_labels([dict(zip(vary, values, strict=True)) for values in combinations])
    return labels if len(labels) <= MOST_NODES else [plural(len(labels), "configuration")]


def _range_text(choice: JsonValue) -> str:
    if isinstance(choice, dict) and {"low", "high"} <= choice.keys():
        return f"{value_text(choice['low'])} … {value_text(choice['high'])}"
    return value_text(choice)


def _key(place: Place) -> str:
    return f"{place[0]}/{place[1]}"


def _score(study: StudyRecord, placed: Placed) -> float | None:
    if placed.candidate and placed.candidate.values:
        value = placed.candidate.mean
        return value if math.isfinite(value) else None
    return mean(value_of(c, study.metric) for c in cells_of(study, placed.configuration))


def _status(study: StudyRecord, placed: Placed, winning: set[Place]) -> str:
    if placed.place in winning:
        return "winning"
    if placed.rank is not None:
        return "kept"
    cells = cells_of(study, placed.configuration)
    if all(outcome_text(cell) in ("not run", "running") for cell in cells):
        return "planned"
    return "tried" if _score(study, placed) is not None else "empty"


def _details(study: StudyRecord, placed: Placed) -> tuple[str, ...]:
    cells = cells_of(study, placed.configuration)
    complete = sum(outcome_text(cell) == "complete" for cell in cells)
    lines = [configuration_label(placed.configuration.shown)]
    lines.append(f"{score(_score(study, placed))}, {complete} of {plural(len(cells), 'cell')}")
    candidate = placed.candidate
    if candidate and candidate.low is not None:
        lines.append(f"interval {interval(candidate.low, candidate.high)}")
    if placed.rank is not None and placed.decision:
        lines.append(placed.decision.rule)
    return tuple(lines)
