"""A page taken apart: every sentence, table cell, figure and script with the place where it is.

Links are left out: what a number links to depends on where MLflow is, the number does not. All
other attributes count, since bars, marks and sort keys are numbers too.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from html.parser import HTMLParser

# Elements that end a sentence; in a table's cell nothing does.
_TEXT = {
    "p",
    "pre",
    "li",
    "dt",
    "dd",
    "h1",
    "h2",
    "h3",
    "h4",
    "label",
    "button",
    "summary",
    "title",
}
_FRAMES = {"header", "nav", "main", "footer", "section", "div", "figure", "details"}
_LISTS = {"ul", "ol", "dl", "table", "thead", "tbody", "tr", "caption", "figcaption"}
BLOCKS = frozenset(_TEXT | _FRAMES | _LISTS)
CODE = frozenset({"script", "style"})
CELLS = frozenset({"td", "th"})
UNSEEN = frozenset({"a", "meta", "html", "script", "style"})  # whose attributes do not count
ASIDE = frozenset({"tick", "tag", "visually-hidden", "seeds"})  # classes of what names no row
LONGEST_NAME = 48  # characters of a caption, a row or a column


class Kind(StrEnum):
    """How a piece is compared."""

    TEXT = "text"
    FIGURE = "figure"  # JSON of Plotly
    CODE = "script or style"


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that a page says."""

    place: str  # "stage 'Batch size', row 'batch size 8', column 'seed 1'"
    kind: Kind
    text: str
    marks: tuple[str, ...] = ()  # attributes: "style=left:50.0%"


@dataclass(slots=True)
class _Section:
    kind: str
    title_id: str  # of the element that names it


@dataclass(slots=True)
class _Cell:
    text: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    is_head: bool = False
    span: int = 1  # columns
    named: list[str] = field(default_factory=list)  # of the text what names a row
    aside: str = ""  # the tag whose text names nothing, while it is open

    @property
    def words(self) -> str:
        return _words(self.text)

    @property
    def name(self) -> str:
        return _words(self.named)

    def add(self, text: str) -> None:
        self.text.append(text)
        if not self.aside:
            self.named.append(text)


@dataclass(slots=True)
class _Table:
    caption: str = ""
    columns: list[str] = field(default_factory=list)
    is_in_head: bool = False
    row: list[_Cell] = field(default_factory=list)
    names: Counter[str] = field(default_factory=Counter)  # of the rows so far

    def row_name(self) -> str:
        """Name the row by its head, else its first cell; the second of a name as the second."""
        heads = [cell for cell in self.row if cell.is_head] or self.row
        name = heads[0].name if heads else ""
        self.names[name] += 1
        return name if self.names[name] == 1 else f"{name} #{self.names[name]}"


@dataclass(frozen=True, slots=True)
class _Raw:
    """A piece whose section's title may not have been read yet."""

    section: _Section | None
    within: tuple[str, ...]
    kind: Kind
    text: str
    marks: tuple[str, ...] = ()
    figure: str = ""  # id


def read_pieces(page: str) -> tuple[Piece, ...]:
    """Take a page apart, in the order in which it says things."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.pieces()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self._raw: list[_Raw] = []
        self._texts: dict[str, str] = {}  # id of an element -> what it says
        self._sections: list[_Section] = []
        self._table: _Table | None = None
        self._cell: _Cell | None = None
        self._block = _Cell()  # what was read since the last block began or ended
        self._block_id = ""
        self._code: _Raw | None = None

    def pieces(self) -> tuple[Piece, ...]:
        """Return them, once everything is read."""
        self._end_block()
        return tuple(
            Piece(self._place(each), each.kind, each.text, each.marks) for each in self._raw
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if self._cell is None and tag in BLOCKS:
            self._end_block()
            self._block_id = named.get("id", "")
        if tag == "section":
            kind = "stage" if "stage" in named.get("class", "").split() else "section"
            self._sections.append(_Section(kind, named.get("aria-labelledby", "")))
        elif tag in CODE:
            figure = named.get("data-figure", "")
            kind_of = Kind.FIGURE if figure else Kind.CODE
            self._code = _Raw(self._section, (tag,), kind_of, "", figure=figure)
        else:
            self._begin_in_table(tag, named)
        own = self._cell or self._block
        if ASIDE & set(named.get("class", "").split()):
            own.aside = tag
        if tag not in UNSEEN:
            own.marks += [f"{name}={value}" for name, value in named.items()]

    def handle_endtag(self, tag: str) -> None:
        own = self._cell or self._block
        own.aside = "" if own.aside == tag else own.aside
        if tag in CELLS and self._cell is not None and self._table is not None:
            self._table.row.append(self._cell)
            self._cell = None
        elif tag in CODE and self._code is not None:
            self._raw.append(self._code)
            self._code = None
        elif self._cell is None and tag in BLOCKS:
            self._end_in_table(tag)
            self._end_block()
            if tag == "section":
                self._sections.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if self._code is not None:
            code = self._code
            text = code.text + data
            self._code = _Raw(code.section, code.within, code.kind, text, figure=code.figure)
        else:
            (self._cell or self._block).add(data)

    @property
    def _section(self) -> _Section | None:
        return self._sections[-1] if self._sections else None

    def _begin_in_table(self, tag: str, named: dict[str, str]) -> None:
        if tag == "table":
            self._table = _Table()
        elif self._table is None:
            return
        elif tag == "thead":
            self._table.is_in_head = True
        elif tag == "tr":
            self._table.row = []
        elif tag in CELLS:
            span = named.get("colspan", "1")
            is_head = named.get("scope") == "row"
            # The marks of the row itself go with its first cell.
            marks, self._block = self._block.marks, _Cell()
            self._cell = _Cell([], marks, is_head, int(span) if span.isdecimal() else 1)

    def _end_in_table(self, tag: str) -> None:
        if self._table is None:
            return
        if tag == "caption":
            self._table.caption = self._block.words
        elif tag == "thead":
            self._table.is_in_head = False
        elif tag == "tr":
            self._end_row(self._table)
        elif tag == "table":
            self._table = None

    def _end_row(self, table: _Table) -> None:
        if table.is_in_head:
            table.columns = [cell.words for cell in table.row for _ in range(cell.span)]
        row = "the head" if table.is_in_head else table.row_name()
        at = 0
        for cell in table.row:
            column = table.columns[at] if at < len(table.columns) else ""
            self._keep(cell, *_named(table.caption, row, column))
            at += cell.span

    def _end_block(self) -> None:
        block, self._block = self._block, _Cell()
        if self._block_id and block.words:
            self._texts.setdefault(self._block_id, block.words)
        self._block_id = ""
        caption = () if self._table is None else _named(self._table.caption, "", "")
        self._keep(block, *caption)

    def _keep(self, read: _Cell, *within: str) -> None:
        if read.words or read.marks:
            raw = _Raw(self._section, within, Kind.TEXT, read.words, tuple(read.marks))
            self._raw.append(raw)

    def _place(self, raw: _Raw) -> str:
        parts = []
        if raw.section is not None:
            parts.append(f"{raw.section.kind} '{self._texts.get(raw.section.title_id, '')}'")
        if raw.figure:
            parts.append(f"figure '{self._texts.get(f'{raw.figure}-title', raw.figure)}'")
        elif raw.kind is Kind.CODE:
            parts.append(f"the page's {raw.within[0]}")
        else:
            parts += raw.within
        return ", ".join(parts) or "the top of the page"


def _named(caption: str, row: str, column: str) -> tuple[str, ...]:
    pairs = (("table", caption), ("row", row), ("column", column))
    return tuple(f"{what} '{_short(name)}'" for what, name in pairs if name)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _words(text: list[str]) -> str:
    return " ".join("".join(text).split())
