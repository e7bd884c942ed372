"""`visionstudy verify`: does a report say what the records say?"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace
from studies.cli.reading import fail
from studies.cli.recorded import open_known, recorded

if TYPE_CHECKING:
    from reports.verifying.verification import Verification
    from trackers.records import StudyRecord

MOST = 40  # differences that are printed; --json has all
REPORT_HELP = "HTML file that `visionstudy report` or a launch wrote."


def verify(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help=REPORT_HELP)],
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Compute a report anew from the records and say what differs.

    Every sentence, table cell, mark and point of a figure is compared; links are not, since they
    depend on where MLflow is. A report of several studies is verified with all of them.

    --json prints {"verdict" ("same", "differs" or "cannot_say"), "compared" (how many sentences,
    cells and figures), "differences" (place, told by the report, found in the records; null:
    nothing there) and "doubts" (why they need not agree)}.

    Exit status: 0 they agree; 1 the report differs from its records; 2 that cannot be said: it is
    no report, its records are gone, another release wrote it, or the study has gone on since.
    """
    page = _read(report)
    # Lazy: they load Plotly and Optuna, which `visionstudy --help` must not wait for.
    from reports.verifying.stamp import NoReportError, read_stamp
    from reports.verifying.verification import verify as compare

    try:
        stamp = read_stamp(page)
    except NoReportError as error:
        raise fail(f"{report}: {error}") from error
    studies = _records([each.name for each in stamp.studies], workspace)
    found = compare(page, studies, _render)
    if as_json:
        typer.echo(_as_json(found))
    else:
        _print(report, found)
    raise typer.Exit(found.verdict.value)


def _read(report: Path) -> str:
    """Read the file.

    Raises:
        typer.Exit: It is no text.
    """
    try:
        return report.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise fail(f"a report is an HTML file, got {report}, which is no text") from error


def _records(names: Sequence[str], workspace: Path) -> "list[StudyRecord]":
    # Lazy: as above.
    from studies.running.report_records import for_report

    place, ledger = open_known(workspace)
    try:
        return [for_report(recorded(ledger, place, name).record) for name in names]
    finally:
        ledger.close()


def _render(studies: "Sequence[StudyRecord]", generated_at: str) -> str:
    # Lazy: as above.
    from reports.page import render
    from reports.several.page import render_several

    if len(studies) == 1:
        return render(studies[0], generated_at=generated_at)
    return render_several(studies, generated_at=generated_at)


def _print(report: Path, found: "Verification") -> None:
    if found.differences:
        for doubt in found.doubts:
            typer.echo(f"cannot say: {doubt}")
    for difference in found.differences[:MOST]:
        typer.echo(difference.sentence)
    if len(found.differences) > MOST:
        typer.echo(f"… and {len(found.differences) - MOST:,} more; --json lists all")
    count = f"{found.compared:,} sentences, cells and figures"
    if found.differences:
        typer.echo(f"{report}: {len(found.differences):,} of {count} differ from the records")
    else:
        typer.echo(f"{report}: all {count} are what the records say")


def _as_json(found: "Verification") -> str:
    listed = [
        {"place": each.place, "told": each.told, "found": each.found} for each in found.differences
    ]
    content = {
        "verdict": found.verdict.name.lower(),
        "compared": found.compared,
        "differences": listed,
        "doubts": list(found.doubts),
    }
    return json.dumps(content, indent=2)
