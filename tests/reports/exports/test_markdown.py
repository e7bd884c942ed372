"""Markdown that shows what the page shows, rendered by a parser that is not ours."""

from itertools import pairwise

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from reports.exports.blocks import Heading, Listing, Paragraph, Table
from reports.exports.documents import Page
from reports.exports.markdown import markdown, markdown_table
from reports.exports.page_blocks import page_blocks, tables_in
from reports.exports.unseen import without_controls


def rendered(text: str) -> list[Token]:
    return MarkdownIt("gfm-like", {"linkify": False}).parse(text)


def shown(token: Token) -> str:
    """Return the text of an inline token, and fail at anything that is no text."""
    children = token.children or []
    assert {child.type for child in children} <= {"text", "text_special"}, token.content
    return "".join(child.content for child in children)


def cells(text: str) -> list[str]:
    tokens = rendered(text)
    openings = ("th_open", "td_open")
    return [shown(inline) for opening, inline in pairwise(tokens) if opening.type in openings]


def test_every_table_of_a_page_has_the_same_cells_once_rendered(page: Page) -> None:
    for table in tables_in(page.markup, ()):
        expected = [cell for row in (table.columns, *table.rows) for cell in row]

        assert cells(markdown_table(table)) == expected


def test_hostile_names_stay_text(hostile_table: Table) -> None:
    expected = [
        without_controls(cell)
        for row in (hostile_table.columns, *hostile_table.rows)
        for cell in row
    ]

    assert cells(markdown_table(hostile_table)) == expected


def test_a_document_full_of_hostile_names_holds_no_html_and_no_link(hostile_page: Page) -> None:
    tokens = rendered(markdown(page_blocks(hostile_page.markup), {}))

    kinds = {each.type for token in tokens for each in (token, *(token.children or ()))}
    assert not {kind for kind in kinds if kind.startswith(("html", "link", "code_inline", "em"))}


@pytest.mark.parametrize(
    "text", ["1. first", "- item", "+ item", "= rule", "# title", "> quote", "--- rule", "2) two"]
)
def test_a_paragraph_begins_nothing_but_a_paragraph(text: str) -> None:
    tokens = rendered(markdown([Paragraph(text)], {}))

    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert shown(tokens[1]) == text


def test_a_listing_cannot_end_its_own_fence() -> None:
    text = "a\n```\n<script>\n````"

    (token,) = rendered(markdown([Listing(text)], {}))

    assert token.content == f"{text}\n"


def test_headings_keep_their_levels(page: Page) -> None:
    blocks = page_blocks(page.markup)

    tokens = rendered(markdown(blocks, {}))

    levels = [f"h{block.level}" for block in blocks if isinstance(block, Heading)]
    assert [token.tag for token in tokens if token.type == "heading_open"] == levels
