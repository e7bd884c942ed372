"""Draw a placed tree: cards for values, curves for inheritance, green for the winning path."""

from collections.abc import Iterable, Sequence
from textwrap import shorten, wrap
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.figures.data_table import DataTable
from reports.figures.tree import TreeLayout, TreeNode
from reports.foreign_text import figure_text
from reports.notation import MISSING, metric_name, score, sentence_case

CARD_WIDTH = 122  # pixels
CARD_HEIGHT = 40
ROW_HEIGHT = 56
COLUMN_WIDTH = 150  # least, pixels
HEAD_HEIGHT = 64
CURVE_STEPS = 14
# Border colour, text colour, border width.
CARDS = {
    "root": (theme.WIN, theme.INK, 2),
    "winning": (theme.WIN, theme.INK, 2),
    "kept": (theme.WIN, theme.INK, 1),
    "tried": (theme.RULE, theme.INK, 1),
    "empty": (theme.RULE, theme.MUTED, 1),
    "planned": (theme.GRID, theme.MUTED, 1),
}


def tree_figure(tree: TreeLayout) -> go.Figure:
    """Draw one tree; hover a card for its interval and the decision."""
    edge = tree.rows / 2 + 0.05
    height = HEAD_HEIGHT + round(2 * edge * ROW_HEIGHT) + 10
    hidden = {"visible": False, "fixedrange": True}
    figure = go.Figure(
        data=_edges(tree),
        layout=theme.layout(
            height,
            margin={"l": 4, "r": 4, "t": HEAD_HEIGHT, "b": 10},
            xaxis=hidden | {"range": [-0.46, len(tree.columns) - 0.54]},
            yaxis=hidden | {"range": [edge, -edge]},
            dragmode=False,
        ),
    )
    figure.update_layout(annotations=[*_heads(tree, edge), *(_card(node) for node in tree.nodes)])
    return figure


def tree_min_width(tree: TreeLayout) -> int:
    """Least width, pixels, at which cards do not touch."""
    return len(tree.columns) * COLUMN_WIDTH


def tree_summary(tree: TreeLayout) -> str:
    """Say in a sentence what the tree shows."""
    steps = [_step(tree, node) for node in tree.nodes if node.status == "winning"]
    waiting = [
        stage
        for column, stage in enumerate(tree.columns)
        if all(node.status == "planned" for node in tree.nodes if node.column == column)
    ]
    path = f"Winning path by {metric_name(tree.metric)}: {', then '.join(steps)}." if steps else ""
    rest = f"Not decided yet: {', '.join(waiting)}." if waiting else ""
    return " ".join(part for part in (path, rest) if part) or "No stage has been decided yet."


def tree_table(tree: TreeLayout) -> DataTable:
    """List the cards, with what pointing at them shows."""
    rows = tuple(
        (tree.columns[node.column], node.label, score(node.score), node.status, _said(node))
        for node in tree.nodes
    )
    return DataTable(
        ("Stage", "Value", sentence_case(metric_name(tree.metric)), "Card", "Details"), rows
    )


def _said(node: TreeNode) -> str:
    return "; ".join(node.detail)


def _step(tree: TreeLayout, node: TreeNode) -> str:
    stage = tree.columns[node.column]
    name = stage if stage == node.label else f"{stage} {node.label}"
    return name if node.score is None else f"{name} ({score(node.score)})"


def _edges(tree: TreeLayout) -> list[dict[str, Any]]:
    by_key = {node.key: node for node in tree.nodes}
    inherited = [(by_key[n.parent], n) for n in tree.nodes if n.parent in by_key]
    winning = [pair for pair in inherited if pair[1].status == "winning"]
    planned = [pair for pair in inherited if pair[1].status == "planned"]
    others = [pair for pair in inherited if pair not in winning and pair not in planned]
    return [
        _trace("planned", planned, {"color": theme.RULE, "width": 1.2, "dash": "dot"}),
        _trace("not chosen", others, {"color": theme.RULE, "width": 1.4}),
        _trace("winning path", winning, {"color": theme.WIN, "width": 3}),
    ]


def _trace(
    name: str, pairs: Iterable[tuple[TreeNode, TreeNode]], line: dict[str, Any]
) -> dict[str, Any]:
    x: list[float | None] = []
    y: list[float | None] = []
    for start, end in pairs:
        points = _curve(start, end)
        x += [*(point[0] for point in points), None]
        y += [*(point[1] for point in points), None]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "line": line,
        "hoverinfo": "skip",
    }


def _curve(start: TreeNode, end: TreeNode) -> Sequence[tuple[float, float]]:
    """A smooth step from one card to the next; level where the cards cover it."""
    left, right = start.column + 0.3, end.column - 0.3
    points = [(float(start.column), start.row)]
    for step in range(CURVE_STEPS + 1):
        share = step / CURVE_STEPS
        eased = share * share * (3 - 2 * share)
        points.append(
            (
                round(left + (right - left) * share, 3),
                round(start.row + (end.row - start.row) * eased, 3),
            )
        )
    return [*points, (float(end.column), end.row)]


def _heads(tree: TreeLayout, edge: float) -> list[dict[str, Any]]:
    heads = []
    for column, name in enumerate(tree.columns):
        lines = wrap(name, 20, max_lines=2, placeholder=" …") or [""]
        heads.append(
            {
                "x": column,
                "y": -edge,
                "yanchor": "bottom",
                "yshift": 10,
                "text": "<br>".join(figure_text(line) for line in lines),
                "showarrow": False,
                "font": {"size": 12, "color": theme.MUTED},
            }
        )
    return heads


def _card(node: TreeNode) -> dict[str, Any]:
    border, text, width = CARDS[node.status]
    tick = "✓ " if node.status == "winning" else ""
    label = figure_text(shorten(node.label, 20, placeholder="…") or node.label[:19])
    second = "" if node.status == "root" else _second_line(node)
    return {
        "x": node.column,
        "y": node.row,
        "text": f"<b>{tick}{label}</b>{second}",
        "showarrow": False,
        "width": CARD_WIDTH,
        "height": CARD_HEIGHT,
        "borderpad": 2,
        "bgcolor": theme.WIN_SOFT if node.status in ("winning", "root") else theme.CARD,
        "bordercolor": border,
        "borderwidth": width,
        "font": {"size": 12, "color": text},
        "hovertext": "<br>".join(
            figure_text(part) for line in node.detail for part in wrap(line, 60)
        ),
    }


def _second_line(node: TreeNode) -> str:
    words = {"planned": "planned", "empty": "no result"}
    text = words.get(node.status) or (score(node.score) if node.score is not None else MISSING)
    return f"<br>{text}"
