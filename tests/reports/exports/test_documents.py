"""Reports in the formats that people hand on."""

import re
from pathlib import Path

import pytest
from pypdf import PdfReader

from reports.exports.browser import VARIABLE, find_browser
from reports.exports.documents import Page, write_document, write_tables
from reports.exports.errors import BrowserFailedError, NoBrowserError, NoKaleidoError
from reports.exports.figure_tables import figures_of
from reports.exports.formats import Format, format_of
from reports.exports.pictures import require_drawing, write_figures
from reports.exports.print_look import light_tokens, printed_figure
from reports.figures.embedding import EmbeddedFigure

LINK = re.compile(r"!\[[^\]]*\]\(([^)]*)\)")


@pytest.fixture
def two_figures(page: Page) -> tuple[EmbeddedFigure, ...]:
    named = [figure for figure in page.figures if figure.id.startswith(("curves-", "tree-"))]
    return (named[0], named[-1])


def test_html_is_the_page_itself(page: Page, tmp_path: Path) -> None:
    write_document(page, tmp_path / "report.html", Format.HTML)

    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page.markup


def test_every_figure_of_the_page_is_known(page: Page) -> None:
    drawn = set(re.findall(r'data-figure="([^"]+)"', page.markup))

    assert {figure.id for figure in figures_of(page.figures)} == drawn


def test_no_colour_of_the_page_is_left_open_in_print(page: Page) -> None:
    for figure in page.figures:
        assert "var(--" not in str(printed_figure(figure))
    assert light_tokens()["--paper"] == "#ffffff"


def test_curves_have_a_legend_of_their_own_in_print(
    two_figures: tuple[EmbeddedFigure, ...],
) -> None:
    spec = printed_figure(two_figures[1])

    named = [trace["name"] for trace in spec["data"] if trace["showlegend"]]

    assert spec["layout"]["showlegend"]
    assert len(named) == len(set(named)) > 1


def test_without_a_browser_a_document_says_what_it_lacks(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    missing = write_document(page, tmp_path / "report.md", Format.MARKDOWN)

    assert "apt install chromium" in missing
    assert ".svg" not in (tmp_path / "report.md").read_text(encoding="utf-8")
    with pytest.raises(NoBrowserError, match="none is on the PATH"):
        write_document(page, tmp_path / "report.pdf", Format.PDF)


def test_a_browser_that_is_no_program_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/nowhere/chrome")

    with pytest.raises(NoBrowserError, match=r"BROWSER_PATH .* got '/nowhere/chrome'"):
        find_browser()


def test_a_browser_that_prints_nothing_is_quoted(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho no display >&2\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(broken))

    with pytest.raises(BrowserFailedError, match="got no PDF; it said: no display"):
        write_document(page, tmp_path / "report.pdf", Format.PDF)
    assert not list(tmp_path.glob("*print*"))
    assert not (tmp_path / "report.pdf").exists()


def test_without_the_extra_package_figures_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(NoKaleidoError, match=r"pip install 'visionstudy\[export\]'"):
        require_drawing()


def test_tables_are_written_in_three_formats(page: Page, tmp_path: Path) -> None:
    count = write_tables(page, tmp_path)

    names = {file.name for file in tmp_path.iterdir()}
    assert {"ledger-table.csv", "ledger-table.md", "ledger-table.tex"} <= names
    assert len([name for name in names if name.endswith(".csv")]) == count


@pytest.mark.parametrize(
    ("name", "found"),
    [("a.html", "html"), ("a.MD", "md"), ("a.tex", "tex"), ("a.pdf", "pdf"), ("a", "html")],
)
def test_a_file_name_says_the_format(name: str, found: str) -> None:
    assert format_of(Path(name)) is Format(found)


def test_an_unknown_ending_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"\.html, \.md, \.tex, \.pdf, got 'a\.text'.*\.tex\?"):
        format_of(Path("a.text"))


@pytest.mark.browser
@pytest.mark.slow
def test_a_document_links_to_pictures_that_are_drawn_alike_each_time(
    page: Page, two_figures: tuple[EmbeddedFigure, ...], tmp_path: Path
) -> None:
    small = Page(page.markup, two_figures)

    missing = write_document(small, tmp_path / "My report.md", Format.MARKDOWN)
    again = write_figures(two_figures[1:], tmp_path, ["svg", "png"])

    links = LINK.findall((tmp_path / "My report.md").read_text(encoding="utf-8"))
    drawn = [link for link in links if link.endswith(".svg")]
    assert missing == ""
    assert drawn == [f"my-report-figures/{figure.id}.svg" for figure in two_figures]
    (file,) = again.values()
    assert file.read_bytes() == (tmp_path / drawn[1]).read_bytes()
    assert b"<text" in file.read_bytes()
    assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.browser
@pytest.mark.slow
def test_a_printed_page_has_its_text_on_every_sheet(page: Page, tmp_path: Path) -> None:
    write_document(page, tmp_path / "report.pdf", Format.PDF)

    sheets = PdfReader(tmp_path / "report.pdf").pages

    texts = [sheet.extract_text().strip() for sheet in sheets]
    assert all(text or sheet.images for text, sheet in zip(texts, sheets, strict=True))
    whole = " ".join(" ".join(texts).split())
    assert "Hyperparameter tree" in whole
    assert "Ledger" in whole
