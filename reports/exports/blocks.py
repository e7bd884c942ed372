"""What a page says, block by block, without any markup: all that the other formats need."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Heading:
    """A title; level 1 is the page's."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text, or an item of a list."""

    text: str
    is_item: bool = False
    is_note: bool = False  # explains what stands beside it


@dataclass(frozen=True, slots=True)
class Listing:
    """Text whose lines and spaces count: settings, commands."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is printed; every row is as long as `columns`."""

    id: str  # stable, unique in the page: letters, digits and hyphens
    title: str
    columns: tuple[str, ...]  # "" where the page heads none
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure that Plotly draws."""

    id: str  # as `EmbeddedFigure.id`
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture that trials kept."""

    caption: str
    source: str  # data URI


Block: TypeAlias = Heading | Paragraph | Listing | Table | Picture | Photo
