"""A table of the page as text: cells that span are repeated, heads of several lines are joined."""

import re
from collections.abc import Sequence

from reports.exports.blocks import Table
from reports.exports.markup import Element, seen_text
from reports.notation import slug

MOST_LETTERS = 48  # of the part of an id that comes from a title


def read_table(element: Element, *, scope: str, fallback: str) -> Table:
    """Return a table element as text.

    Args:
        element: The table.
        scope: Id of the section that it is in.
        fallback: Its title, where it has no caption.
    """
    heads = [row for head in element.all("thead") for row in head.all("tr")]
    places = {id(row) for row in heads}
    body = _grid([row for row in element.all("tr") if id(row) not in places])
    columns = _columns(_grid(heads))
    width = max([len(columns), *(len(row) for row in body)], default=0)
    title = next((seen_caption(each) for each in element.all("caption")), "") or fallback
    name = element.attributes.get("id") or _id(scope, title)
    return Table(
        id=slug(name),
        title=title,
        columns=_padded(columns, width),
        rows=tuple(_padded(row, width) for row in body),
        notes=_head_notes(heads),
    )


def seen_caption(element: Element) -> str:
    """Return a caption, also one that only screen readers get."""
    return seen_text(element.children)


def _id(scope: str, title: str) -> str:
    """Name a table by how its title begins: counts, which change with the study, come later."""
    short = slug(re.split("[,;:]", title)[0])
    if len(short) > MOST_LETTERS:
        short = short[: MOST_LETTERS + 1].rpartition("-")[0] or short[:MOST_LETTERS]
    return "-".join(filter(None, (scope, short)))


def _grid(rows: Sequence[Element]) -> list[list[str]]:
    """Return rows of texts, a spanning cell's at every place that it covers."""
    taken: list[dict[int, str]] = [{} for _ in rows]  # by column
    for down, row in enumerate(rows):
        across = 0
        for cell in row.children:
            if not isinstance(cell, Element) or cell.tag not in ("th", "td"):
                continue
            while across in taken[down]:
                across += 1
            text, wide = seen_text(cell.children), _span(cell, "colspan")
            for covered in taken[down : down + _span(cell, "rowspan")]:
                covered |= {across + beside: text for beside in range(wide)}
            across += wide
    return [[row[at] for at in sorted(row)] for row in taken]


def _span(cell: Element, name: str) -> int:
    return max(1, int(cell.attributes.get(name) or 1))


def _columns(heads: Sequence[Sequence[str]]) -> list[str]:
    width = max((len(row) for row in heads), default=0)
    lines = [_padded(row, width) for row in heads]
    return [
        " ".join(filter(None, dict.fromkeys(line[column] for line in lines)))
        for column in range(width)
    ]


def _padded(row: Sequence[str], width: int) -> tuple[str, ...]:
    return (*row, *[""] * (width - len(row)))


def _head_notes(heads: Sequence[Element]) -> tuple[str, ...]:
    """What the page says of a column when its head is pointed at."""
    return tuple(
        f"{seen_text(button.children)}: {button.attributes['title']}."
        for row in heads
        for button in row.all("button")
        if button.attributes.get("title")
    )
