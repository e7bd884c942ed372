"""Text that others wrote, inside sentences and figures of ours.

Names may hold any script. Words that run from right to left are isolated, so that the numbers
behind them stay in place (Unicode Standard Annex 9); characters that would turn a whole line
around are written out instead of obeyed.
"""

import re
from typing import TypeVar

from markupsafe import Markup

Shown = TypeVar("Shown")
# Embeddings, overrides and isolates: a name could leave one open.
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LETTER = (
    "[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
RIGHT_TO_LEFT = re.compile(f"{_LETTER}+(?:[ \u00a0'_-]+{_LETTER}+)*")
ISOLATE, END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
# What Plotly takes for markup: tags, and the names of characters.
PSEUDO_HTML = re.compile(r"[<>]|&(?=#?\w+;)")
ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def isolated(value: Shown) -> Shown | str:
    """Keep words from right to left where they stand; leave what is no text as it is."""
    if not isinstance(value, str) or value.isascii() or isinstance(value, Markup):
        return value
    visible = TURNING.sub(lambda found: f"[U+{ord(found[0]):04X}]", value)
    return RIGHT_TO_LEFT.sub(lambda found: f"{ISOLATE}{found[0]}{END}", visible)


def figure_text(text: str) -> str:
    """Write a text for Plotly so that it shows as it is, tags included."""
    return PSEUDO_HTML.sub(lambda found: ENTITIES[found[0]], isolated(text))


def figure_texts(value: Shown) -> Shown | str | list[object]:
    """Write a text, or every text of a list, for Plotly; leave what is no text as it is."""
    if isinstance(value, list):
        return [figure_texts(item) for item in value]
    return figure_text(value) if isinstance(value, str) else value
