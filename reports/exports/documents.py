"""A report in the format of one's choice, its pictures in a folder beside it."""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.contents import contents
from reports.exports.blocks import Block, Photo, Picture
from reports.exports.csv_text import csv_text
from reports.exports.errors import NoBrowserError, NoKaleidoError
from reports.exports.figure_tables import figures_of
from reports.exports.formats import Format
from reports.exports.latex import latex
from reports.exports.latex_tables import latex_table
from reports.exports.markdown import markdown, markdown_table
from reports.exports.page_blocks import page_blocks, tables_in
from reports.exports.pictures import write_figures
from reports.exports.printing import print_page
from reports.figures.embedding import EmbeddedFigure
from reports.notation import slug
from reports.page import render_contents
from reports.several.contents import several_contents
from reports.several.page import render_several_contents
from reports.templating import write_page
from trackers.records import StudyRecord

PHOTO = re.compile(r"data:image/(?P<ending>png|jpeg);base64,(?P<content>.*)", re.DOTALL)
SHORT_HASH = 10
TABLE_WRITERS = {"csv": csv_text, "md": markdown_table, "tex": latex_table}


@dataclass(frozen=True, slots=True)
class Page:
    """A report as it was composed, of one study or of several."""

    markup: str  # HTML
    figures: tuple[EmbeddedFigure, ...]


def study_page(study: StudyRecord, *, generated_at: str | None = None) -> Page:
    """Compose the report of one study; see `reports.page.render`."""
    found = contents(study)
    return Page(render_contents(found, generated_at=generated_at), tuple(figures_of(found)))


def several_page(studies: Sequence[StudyRecord], *, generated_at: str | None = None) -> Page:
    """Compose the page that compares studies; see `reports.several.page.render_several`."""
    found = several_contents(studies)
    markup = render_several_contents(studies, found, generated_at=generated_at)
    return Page(markup, tuple(figures_of(found)))


def write_document(page: Page, file: Path, ending: Format) -> str:
    """Write a report; a reader never sees half a file.

    Markdown and LaTeX have their pictures in the folder "<name>-figures" beside them.

    Returns:
        What is missing in it and why; "" where nothing is.

    Raises:
        ExportError: There is no browser to print it, or it printed nothing.
    """
    if ending is Format.HTML:
        write_page(page.markup, file)
        return ""
    if ending is Format.PDF:
        print_page(page.markup, file)
        return ""
    blocks = page_blocks(page.markup)
    folder = file.parent / f"{slug(file.stem)}-figures"
    files = _write_photos(blocks, folder)
    missing = ""
    try:
        files |= _write_drawn(page, blocks, folder, ending)
    except (NoBrowserError, NoKaleidoError) as error:
        missing = f"its figures, of which it has the sentences and the tables alone: {error}"
    names = {key: f"{folder.name}/{each.name}" for key, each in files.items()}
    compose = markdown if ending is Format.MARKDOWN else latex
    write_page(compose(blocks, names), file)
    return missing


def write_tables(page: Page, folder: Path) -> int:
    """Write every table as CSV, Markdown and LaTeX, named by its id; return how many tables.

    Figures' data are among them, as CSV alone.
    """
    tables = tables_in(page.markup, page.figures)
    data = {f"{figure.id}-data" for figure in page.figures}
    for table in tables:
        endings = ("csv",) if table.id in data else tuple(TABLE_WRITERS)
        for ending in endings:
            write_page(TABLE_WRITERS[ending](table), folder / f"{table.id}.{ending}")
    return len(tables)


def _write_drawn(
    page: Page, blocks: Sequence[Block], folder: Path, ending: Format
) -> dict[str, Path]:
    placed = {block.id for block in blocks if isinstance(block, Picture)}
    figures = [figure for figure in page.figures if figure.id in placed]
    # LaTeX reads no SVG.
    return write_figures(figures, folder, ["svg" if ending is Format.MARKDOWN else "pdf"])


def _write_photos(blocks: Sequence[Block], folder: Path) -> dict[str, Path]:
    """Write the pictures that trials kept, each named by what is in it."""
    files = {}
    for block in blocks:
        found = PHOTO.fullmatch(block.source) if isinstance(block, Photo) else None
        if isinstance(block, Photo) and found:
            content = base64.b64decode(found["content"])
            name = hashlib.sha256(content).hexdigest()[:SHORT_HASH]
            folder.mkdir(parents=True, exist_ok=True)
            files[block.source] = folder / f"picture-{name}.{found['ending']}"
            files[block.source].write_bytes(content)
    return files
