"""LaTeX that compiles, checked by a parser and by LaTeX itself where it is installed."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pylatexenc.latex2text import (
    LatexNodes2Text,
    MacroTextSpec,
    get_default_latex_context_db,
)
from pylatexenc.latexwalker import (
    LatexEnvironmentNode,
    LatexMacroNode,
    LatexSpecialsNode,
    LatexWalker,
)

from reports.exports.blocks import Listing, Paragraph, Picture, Table
from reports.exports.documents import Page
from reports.exports.latex import latex
from reports.exports.latex_tables import latex_table
from reports.exports.latex_text import latex_text
from reports.exports.page_blocks import page_blocks, tables_in

COMPILERS = ("tectonic", "pdflatex", "lualatex")
TABULAR = re.compile(
    r"\\begin\{(?P<kind>tabular|longtable)\}\{(?P<columns>.*)\}\n(?P<body>[\s\S]*?)\\end\{(?P=kind)\}"
)
COLUMN = re.compile(r"[lr]|>\{[^{}]*\}p\{[^{}]*\}")
LETTERS_ASIDE = re.compile(r"\\[&\\]")


SIGNS = get_default_latex_context_db()
SIGNS.add_context_category(
    "signs of T1",
    prepend=True,
    macros=[
        MacroTextSpec(f"text{name}", sign)
        for name, sign in {
            "less": "<",
            "greater": ">",
            "bar": "|",
            "quotedbl": '"',
            "quotesingle": "'",
            "asciicircum": "^",
        }.items()
    ],
)


def nodes(text: str) -> Iterator[Any]:
    """Walk a document strictly: what is not balanced is an error."""
    found, _, _ = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
    yield from _walk(found)


def _walk(found: Any) -> Iterator[Any]:
    for node in filter(None, found):
        yield node
        yield from _walk(getattr(node, "nodelist", None) or ())
        yield from _walk(getattr(getattr(node, "nodeargd", None), "argnlist", None) or ())


def counted_columns(text: str) -> Iterator[tuple[int, set[int]]]:
    """Yield of every table how many columns it declares, and how many its rows have."""
    for table in TABULAR.finditer(text):
        rows = [line for line in table["body"].splitlines() if line.endswith(r" \\")]
        counts = {LETTERS_ASIDE.sub("", row.removesuffix(r" \\")).count("&") + 1 for row in rows}
        yield len(COLUMN.findall(table["columns"])), counts


def test_the_document_is_balanced_and_every_row_has_its_columns(page: Page) -> None:
    blocks = page_blocks(page.markup)
    text = latex(blocks, {b.id: f"f/{b.id}.pdf" for b in blocks if isinstance(b, Picture)})

    environments = {n.environmentname for n in nodes(text) if isinstance(n, LatexEnvironmentNode)}
    counted = list(counted_columns(text))

    assert {"document", "longtable", "center"} <= environments
    assert len(counted) == sum(isinstance(block, Table) for block in blocks)
    assert all(rows == {declared} for declared, rows in counted)


def test_every_table_stands_alone_too(page: Page) -> None:
    for table in tables_in(page.markup, ()):
        ((declared, rows),) = counted_columns(latex_table(table))

        assert declared == len(table.columns)
        assert rows == {declared}


def test_labels_are_there_once_each(page: Page) -> None:
    labels = re.findall(r"\\label\{([^}]*)\}", latex(page_blocks(page.markup), {}))

    assert len(labels) == len(set(labels)) > 0


def test_hostile_names_call_no_command_and_print_as_they_are(hostile_table: Table) -> None:
    text = latex_table(hostile_table)

    macros = {node.macroname for node in nodes(text) if isinstance(node, LatexMacroNode)}
    specials = {node.specials_chars for node in nodes(text) if isinstance(node, LatexSpecialsNode)}

    assert not macros & {"input", "titles", "include", "write"}
    assert text.isascii() or set(filter(lambda each: not each.isascii(), text)) == {"é"}
    assert specials <= {"&", "~"}
    assert [rows for rows in counted_columns(text)] == [(2, {2})]


def test_a_document_full_of_hostile_names_is_balanced_and_calls_nothing(
    hostile_page: Page,
) -> None:
    text = latex(page_blocks(hostile_page.markup), {})

    macros = {node.macroname for node in nodes(text) if isinstance(node, LatexMacroNode)}

    assert r"\textbackslash{}input\{/etc/passwd\}" in text
    assert not macros & {"input", "include", "write"}
    assert all(rows == {declared} for declared, rows in counted_columns(text))


@pytest.mark.parametrize(
    "name",
    [
        "<script>x</script>",
        r"\input{/etc/passwd}",
        "50 % & #1_2 ^3",
        "a|b",
        "\"q\" 's'",
        "[x] *",
        "café",
    ],
)
def test_what_is_escaped_reads_as_it_was(name: str) -> None:
    assert LatexNodes2Text(SIGNS).latex_to_text(latex_text(name)) == name


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("\N{MINUS SIGN}0.5", "$-$0.5"),
        ("--set", "-{}-set"),
        ("\N{GRINNING FACE}", "{[}U+1F600{]}"),
        ("\N{ARABIC LETTER SEEN}", "{[}U+0633{]}"),
        ("\N{LATIN SMALL LIGATURE FI}\N{RIGHT-TO-LEFT OVERRIDE}x", "fix"),
        ("e\N{COMBINING ACUTE ACCENT}", "é"),
        ("Welch's 'x'", r"Welch's \textquotesingle{}x\textquotesingle{}"),
        ("Čapek", r"\v{C}apek"),
        ("\N{LATIN SMALL LETTER H WITH STROKE}", "{[}U+0127{]}"),
    ],
)
def test_letters_that_fonts_lack_become_safe(name: str, written: str) -> None:
    assert latex_text(name) == written


def test_a_listing_keeps_its_lines_and_ends_nothing() -> None:
    text = latex([Listing("a:\n  b: \\end{document}")], {})

    assert r"~~b: \textbackslash{}end\{document\}\par" in text


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="no LaTeX on the PATH")
def test_latex_compiles_it(page: Page, hostile_table: Table, tmp_path: Path) -> None:
    compiler = next(filter(None, map(shutil.which, COMPILERS)))
    blocks = [*page_blocks(page.markup), hostile_table, Paragraph("* [1] end")]
    (tmp_path / "report.tex").write_text(latex(blocks, {}), encoding="utf-8")
    options = (
        [] if compiler.endswith("tectonic") else ["-interaction=nonstopmode", "-halt-on-error"]
    )

    done = subprocess.run(
        [compiler, *options, "report.tex"],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:]
