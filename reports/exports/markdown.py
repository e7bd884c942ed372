"""A report as Markdown in GitHub's dialect: whatever a name holds stays text."""

import re
from collections.abc import Mapping, Sequence

from reports.exports.blocks import Block, Heading, Listing, Paragraph, Photo, Picture, Table
from reports.exports.numbers import numeric_columns
from reports.exports.unseen import without_controls

ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
MARKS = frozenset("\\`*_[]|~$#")  # "#" also makes GitHub link an issue, "$" begins a formula
LIST_START = re.compile(r"^(\d+)([.)])|^([-+=])")


def markdown(blocks: Sequence[Block], files: Mapping[str, str]) -> str:
    """Return a whole document.

    Args:
        blocks: What it says.
        files: Path of every picture that was written, from the document's folder, by the figure's
            id or the photo's source; a figure that is not there is its sentence alone.
    """
    return "\n\n".join(filter(None, (_block(block, files) for block in blocks))) + "\n"


def _block(block: Block, files: Mapping[str, str]) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {escaped(text)}"
        case Paragraph(text, is_item):
            return f"- {paragraph(text)}" if is_item else paragraph(text)
        case Listing(text):
            return _fenced(text)
        case Table():
            return markdown_table(block)
        case Picture(identifier, title, summary):
            link = _image(title, files.get(identifier))
            return "\n\n".join(filter(None, (link, f"**{escaped(title)}.** {escaped(summary)}")))
        case Photo(caption, source):
            link = _image(caption, files.get(source))
            return "\n\n".join(filter(None, (link, paragraph(caption))))


def markdown_table(table: Table) -> str:
    """Return a table with its title and notes."""
    numeric = numeric_columns(table)
    lines = [
        _row(table.columns),
        _row_of(["--:" if is_number else ":--" for is_number in numeric]),
        *(_row(row) for row in table.rows),
    ]
    parts = (f"**{escaped(table.title)}**" if table.title else "", "\n".join(lines))
    return "\n\n".join(filter(None, (*parts, *(paragraph(note) for note in table.notes))))


def _row(cells: Sequence[str]) -> str:
    return _row_of([escaped(cell) for cell in cells])


def _row_of(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Return a text in which nothing is Markdown or HTML."""
    return "".join(
        ENTITIES.get(letter) or (f"\\{letter}" if letter in MARKS else letter)
        for letter in without_controls(text)
    )


def paragraph(text: str) -> str:
    """Return a paragraph's text, which begins no list, rule or heading."""
    return LIST_START.sub(lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", escaped(text))


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _image(title: str, file: str | None) -> str:
    return f"![{escaped(title)}]({file})" if file else ""
