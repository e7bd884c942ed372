"""HTML as a tree, and the text that a reader sees of it.

Only pages of ours are read here, so a tag that HTML lets stay open is an error of a template;
it is closed with what is around it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TypeAlias

EMPTY_TAGS = frozenset({"base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"})
UNSEEN_TAGS = frozenset({"script", "style", "title", "template"})
# The style sheet shows these on a line of their own, below a cell's number.
BELOW = frozenset({"seeds", "tied", "reasons"})
# Hints for line breaks and for words from right to left, which only the page needs.
HINTS = re.compile("[\N{WORD JOINER}\N{FIRST STRONG ISOLATE}\N{POP DIRECTIONAL ISOLATE}]")


@dataclass(slots=True)
class Element:
    """A tag with what is in it."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)

    @property
    def classes(self) -> frozenset[str]:
        """Its classes in the style sheet."""
        return frozenset(self.attributes.get("class", "").split())

    @property
    def is_unseen(self) -> bool:
        """Whether no reader gets its text: neither eyes nor a screen reader's."""
        hidden = "hidden" in self.attributes or self.attributes.get("aria-hidden") == "true"
        return hidden or self.tag in UNSEEN_TAGS

    def all(self, tag: str) -> Iterator["Element"]:
        """Yield every element of a tag below this one, in the order of the page."""
        for child in self.children:
            if isinstance(child, Element):
                if child.tag == tag:
                    yield child
                yield from child.all(tag)


Node: TypeAlias = Element | str


class _TreeBuilder(HTMLParser):
    """Collects tags into a tree."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("html")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in EMPTY_TAGS:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self._open[-1].children.append(Element(tag, attributes))

    def handle_endtag(self, tag: str) -> None:
        tags = [element.tag for element in self._open]
        if tag in tags[1:]:
            del self._open[len(tags) - tags[::-1].index(tag) - 1 :]

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def parse(html: str) -> Element:
    """Return a page as a tree; its root stands for the whole file."""
    builder = _TreeBuilder()
    builder.feed(html)
    builder.close()
    return builder.root


def seen_text(nodes: Iterable[Node]) -> str:
    """Return the text that eyes see, on one line; what stands below it is put in brackets."""
    above: list[str] = []
    below: list[str] = []
    _collect(nodes, above, below)
    first = _one_line("".join(above))
    rest = "; ".join(filter(None, below))
    return f"{first} ({rest})" if first and rest else first or rest


def _collect(nodes: Iterable[Node], above: list[str], below: list[str]) -> None:
    after_outcome = False
    for node in nodes:
        if isinstance(node, str):
            above.append(node)
            after_outcome = after_outcome and not node.strip()
        elif not node.is_unseen and "visually-hidden" not in node.classes:
            is_outcome = "outcome" in node.classes
            if is_outcome and after_outcome:
                above[:] = ["".join(above).rstrip(), ", "]
            after_outcome = is_outcome
            _collect_element(node, above, below)


def _collect_element(node: Element, above: list[str], below: list[str]) -> None:
    has_begun = bool("".join(above).strip())
    if node.classes & BELOW or ("tag" in node.classes and has_begun):
        below.append(seen_text(node.children))
    elif "tag" in node.classes:
        above.append(f"{seen_text(node.children)}: ")
    elif node.tag == "svg":
        above.append(node.attributes.get("aria-label", ""))
    elif node.tag == "sup":
        above.append(f" [{seen_text(node.children)}]")
    elif node.tag == "br":
        above.append(" ")
    else:
        _collect(node.children, above, below)


def raw_text(element: Element) -> str:
    """Return an element's text as it stands: of listings."""
    parts = (each if isinstance(each, str) else raw_text(each) for each in element.children)
    return HINTS.sub("", "".join(parts))


def _one_line(text: str) -> str:
    return " ".join(HINTS.sub("", text).split())
