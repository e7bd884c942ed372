"""`visionstudy compare`: two studies side by side."""

from typing import Annotated

import typer

from studies.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace
from studies.cli.recorded import open_known, recorded, study_name

FIRST_HELP, SECOND_HELP = "Name of a study, or its file.", "The one to hold beside it."


def compare(
    first: Annotated[str, typer.Argument(metavar="FIRST", help=FIRST_HELP, show_default=False)],
    second: Annotated[str, typer.Argument(metavar="SECOND", help=SECOND_HELP, show_default=False)],
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Compare what two studies asked, found and took.

    Settings, winners, how sure the difference between them is, and what each study took. Winners
    are compared seed by seed where three seeds or more are of both. What was selected scores too
    well on the split that chose it, the more so the more was tried: the test scores say what is
    left. `visionstudy report FIRST SECOND …` makes a page of two studies or more.

    --json prints {"first", "second", "settings" (path -> [first, second]), "objections" (why
    values may not be compared), "cautions" (how the winners differ otherwise), "difference"
    (second minus first: verdict, difference, low, high, method, reason), "compute_ratio" and
    "is_equal_compute"}; first and second have name, is_finished, metric,
    direction, select_on, found (winners by stage), last, test, test_looks and spent.

    Exit status: 0 they are told; 2 there is no such study.
    """
    place, ledger = open_known(workspace)
    # Lazy: they load pydantic and rich, which `visionstudy --help` must not wait for.
    from rich.console import Console

    from reports.several.comparison import compare_studies
    from studies.cli.comparing_output import comparison_json, print_comparison

    try:
        records = [recorded(ledger, place, study_name(each)).record for each in (first, second)]
    finally:
        ledger.close()
    comparison = compare_studies(*records)
    if as_json:
        typer.echo(comparison_json(comparison))
    else:
        print_comparison(Console(), comparison)
