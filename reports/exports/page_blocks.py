"""The page as blocks: the templates say once what a report says, and every format follows.

Formats read the page back rather than compose their own, so that a table which is on the page is
in every export, with the same columns in the same words.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from reports.contents import Contents
from reports.exports.blocks import Block, Heading, Listing, Paragraph, Photo, Picture, Table
from reports.exports.figure_tables import figure_tables, figures_of
from reports.exports.markup import Element, parse, raw_text, seen_text
from reports.exports.page_tables import read_table
from reports.figures.embedding import EmbeddedFigure
from reports.notation import sentence_case
from reports.page import render_contents

NO_MOMENT = "now"  # no table says when the page was written
HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4}
SKIPPED_TAGS = frozenset({"nav", "svg", "button", "label", "input", "footer"})
SKIPPED_CLASSES = frozenset({"legend", "switch", "filters", "over", "pictures", "skip"})
JOINTS = {"meta": " · ", "flips": ": "}  # between the parts of a paragraph, by its class


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where in the page a block stands."""

    id: str = ""  # of the section
    label: str = ""  # of the frame around a table


def tables_of(found: Contents) -> tuple[Table, ...]:
    """Return every table of a page in its order, and all of every figure's data.

    What the page explains right before and after a table are its notes.
    """
    return tables_in(render_contents(found, generated_at=NO_MOMENT), figures_of(found))


def tables_in(page: str, figures: Iterable[EmbeddedFigure]) -> tuple[Table, ...]:
    """Return the tables of a page, HTML, and of the figures on it."""
    drawn = {figure.id: figure for figure in figures}
    blocks = page_blocks(page)
    tables = []
    for at, block in enumerate(blocks):
        if isinstance(block, Table):
            tables.append(replace(block, notes=(*block.notes, *_around(blocks, at))))
        elif isinstance(block, Picture) and block.id in drawn:
            tables += figure_tables(drawn[block.id])
    return tuple(tables)


def page_blocks(page: str) -> tuple[Block, ...]:
    """Return what a page, HTML, says, in its order."""
    root = parse(page)
    main = next(root.all("main"), root)
    return tuple(_numbered(_blocks(main, _Scope())))


def _around(blocks: Sequence[Block], at: int) -> list[str]:
    """Return the notes before a table and those after it, up to anything else."""
    before = _notes(reversed(blocks[:at]))[::-1]
    start = at - len(before) - 1
    if start >= 0 and isinstance(blocks[start], Table | Picture):
        before = []  # they are about that one
    return [*before, *_notes(blocks[at + 1 :])]


def _notes(blocks: Iterable[Block]) -> list[str]:
    run = takewhile(lambda block: isinstance(block, Paragraph) and block.is_note, blocks)
    return [block.text for block in run if isinstance(block, Paragraph)]


def _numbered(blocks: Iterator[Block]) -> Iterator[Block]:
    """Number tables that would share an id."""
    seen: Counter[str] = Counter()
    for block in blocks:
        if not isinstance(block, Table):
            yield block
            continue
        seen[block.id] += 1
        count = seen[block.id]
        yield block if count == 1 else replace(block, id=f"{block.id}-{count}")


def _blocks(element: Element, scope: _Scope) -> Iterator[Block]:
    for child in element.children:
        if isinstance(child, Element) and not _is_skipped(child):
            yield from _of(child, _inside(child, scope))


def _is_skipped(element: Element) -> bool:
    skipped = element.tag in SKIPPED_TAGS or bool(element.classes & SKIPPED_CLASSES)
    return skipped or element.is_unseen


def _inside(element: Element, scope: _Scope) -> _Scope:
    if element.tag == "section":
        return _Scope(element.attributes.get("id", scope.id))
    if "scroll" in element.classes:
        return replace(scope, label=element.attributes.get("aria-label", ""))
    return scope


def _of(element: Element, scope: _Scope) -> Iterator[Block]:
    if element.tag in HEADINGS:
        yield Heading(HEADINGS[element.tag], seen_text(element.children))
    elif element.tag == "table":
        yield read_table(element, scope=scope.id, fallback=scope.label)
    elif element.tag == "pre":
        yield Listing(raw_text(element).rstrip())
    elif element.tag in READERS:
        yield from READERS[element.tag](element)
    elif element.tag == "p" or _has_text(element):
        yield from _paragraph(element)
    else:
        yield from _blocks(element, scope)


def _has_text(element: Element) -> bool:
    return any(isinstance(child, str) and child.strip() for child in element.children)


def _paragraph(element: Element) -> Iterator[Block]:
    between = next((JOINTS[name] for name in element.classes if name in JOINTS), None)
    parts = [element.children] if between is None else [[child] for child in element.children]
    if text := (between or "").join(filter(None, map(seen_text, parts))):
        yield Paragraph(text, is_note="how" in element.classes)


def _summary(element: Element) -> Iterator[Block]:
    """Yield what a fold is headed by, and apart from it what it is said to come to."""
    is_verdict = [isinstance(c, Element) and "verdict" in c.classes for c in element.children]
    for said in (False, True):
        chosen = zip(element.children, is_verdict, strict=True)
        text = seen_text([child for child, verdict in chosen if verdict is said])
        if text:
            yield Paragraph(sentence_case(text), is_note=True) if said else Heading(3, text)


def _items(element: Element) -> Iterator[Block]:
    is_numbered = element.tag == "ol" and "notes" in element.classes
    for number, item in enumerate(element.all("li"), start=1):
        text = seen_text(item.children)
        words = f"[{number}] {text}" if is_numbered else text
        yield Paragraph(words, is_item=True, is_note=is_numbered)


def _facts(element: Element) -> Iterator[Block]:
    """Yield the numbers that stand out, each with its name and what stands below it."""
    for group in element.all("div"):
        name, *values = (seen_text(c.children) for c in group.children if isinstance(c, Element))
        first, rest = values[0], "; ".join(values[1:])
        yield Paragraph(f"{name}: {first} ({rest})" if rest else f"{name}: {first}", is_item=True)


def _figure(element: Element) -> Iterator[Block]:
    """Yield a figure; the page shows some of its data only, so that table is left out here."""
    caption = next((seen_text(each.children) for each in element.all("figcaption")), "")
    if "plot" not in element.classes:
        yield from (
            Photo(caption, image.attributes.get("src", "")) for image in element.all("img")
        )
        return
    areas = {
        name: each
        for each in element.all("div")
        for name in ("plot-title", "plot-area")
        if name in each.classes
    }
    identifier = areas["plot-area"].attributes["id"]
    yield Picture(identifier, seen_text(areas["plot-title"].children), caption)


READERS = {"dl": _facts, "figure": _figure, "ol": _items, "summary": _summary, "ul": _items}
