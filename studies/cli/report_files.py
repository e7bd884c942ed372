"""What `visionstudy report` writes: the report in its format, its tables, its figures."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from reports.exports.formats import Format, format_of
from studies.cli.reading import fail

if TYPE_CHECKING:
    from reports.exports.documents import Page

Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Where to; its ending says the format. Default: the study's folder.",
    ),
]
FormatOption: TypeAlias = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="md and tex have their figures in a folder beside them; pdf is the page as printed.",
        show_default="as the file ends, else html",
    ),
]
TablesFolder: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--tables", metavar="DIR", help="Write every table there too: CSV, Markdown, LaTeX."
    ),
]
FiguresFolder: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--figures",
        metavar="DIR",
        help="Write every figure there too: SVG, PNG. Needs the extra export and Chromium.",
    ),
]


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where a report goes, and what is written beside it."""

    file: Path
    ending: Format
    tables: Path | None = None
    figures: Path | None = None


def report_files(
    output: Path | None,
    ending: Format | None,
    *,
    default: Path,
    tables: Path | None = None,
    figures: Path | None = None,
) -> ReportFiles:
    """Say what will be written, once it is known that it can be.

    Args:
        output: The report's file.
        ending: Its format; None: as the file ends.
        default: The HTML file that a report is without `output`.
        tables: Folder of its tables.
        figures: Folder of its figures.

    Raises:
        typer.Exit: It cannot be written here; why is on stderr, the status is 2.
    """
    # Lazy: they load Plotly, which `visionstudy --help` must not wait for.
    from reports.exports.browser import find_browser
    from reports.exports.errors import ExportError
    from reports.exports.pictures import require_drawing

    try:
        ending = ending or (Format.HTML if output is None else format_of(output))
        if figures is not None:
            require_drawing()
        if ending is Format.PDF:
            find_browser()
    except (ExportError, ValueError) as error:
        raise fail(str(error)) from error
    return ReportFiles(output or default.with_suffix(f".{ending}"), ending, tables, figures)


def write_files(page: "Page", files: ReportFiles) -> None:
    """Write a report and what is asked for beside it, and print where it lies.

    Raises:
        typer.Exit: It could not be written; why is on stderr, the status is 2.
    """
    # Lazy: as above.
    from reports.exports.documents import write_document, write_tables
    from reports.exports.errors import ExportError
    from reports.exports.pictures import write_figures

    try:
        missing = write_document(page, files.file, files.ending)
        typer.echo(f"report: {files.file}")
        if missing:
            typer.echo(f"warning: the report lacks {missing}", err=True)
        if files.tables is not None:
            count = write_tables(page, files.tables)
            typer.echo(f"tables: {files.tables} ({count})")
        if files.figures is not None:
            drawn = write_figures(page.figures, files.figures, ["svg", "png"])
            typer.echo(f"figures: {files.figures} ({len(drawn)})")
    except ExportError as error:
        raise fail(str(error)) from error
