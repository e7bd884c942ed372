"""`visionstudy baselines`: the published numbers that a study may be compared with."""

import json
from pathlib import Path
from typing import Annotated

import typer

from studies.cli.options import AsJson
from studies.cli.reading import fail

baselines_app = typer.Typer(
    help="Published numbers that a study may be compared with.", no_args_is_help=True
)


@baselines_app.command("list")
def list_baselines(
    task: Annotated[str | None, typer.Option("--task", help="Only of this task.")] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Only of this data.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="Only with this metric.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the names that a study file may hold under `baselines`.

    Fields of --json: name, system, tasks, datasets, metrics (lists), numbers (how many).
    """
    # Lazy: reading every file would make `visionstudy --help` wait.
    from reports.baselines.citation_files import UnknownBaselineError
    from reports.baselines.listing import Wanted, summaries
    from studies.cli.baselines_output import listing_text, summary_facts

    try:
        found = summaries(Wanted(task=task, dataset=dataset, metric=metric))
    except UnknownBaselineError as error:
        raise fail(str(error)) from error
    if as_json:
        typer.echo(json.dumps([summary_facts(each) for each in found], indent=2))
        return
    typer.echo(listing_text(found))


@baselines_app.command("show")
def show_baseline(
    name: Annotated[
        str, typer.Argument(help="Name, as `baselines list` prints it, or a CSV file of your own.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show every number behind a name: value, protocol, source, how it was read, notes.

    Fields of --json: one object per number, with the fields of the files and the protocol's.
    """
    # Lazy: as above.
    from reports.baselines import BaselineError, load
    from reports.baselines.registry import OWN_FILE
    from studies.cli.baselines_output import number_facts, numbers_text

    try:
        files = {name: _text(Path(name))} if name.endswith(OWN_FILE) else {}
        found = load([name], files)
    except BaselineError as error:
        raise fail(str(error)) from error
    if as_json:
        typer.echo(json.dumps([number_facts(each) for each in found], indent=2))
        return
    typer.echo(numbers_text(found))


@baselines_app.command("add")
def add_baselines(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Your numbers, as a CSV.")],
) -> None:
    """Check a CSV of your own numbers, row by row, and say how a study uses it.

    Columns that every row fills: baseline, row, system, task, dataset, metric, value, source.
    The others say how the number was obtained; what is left out counts as not stated. Every
    column is explained in docs/baselines.md.
    """
    # Lazy: as above.
    from reports.baselines import BaselineError, known_names, known_tasks
    from reports.baselines.citation_files import parse
    from reports.baselines.registry import OWN_FILE
    from studies.cli.baselines_output import added_text

    if file.suffix != OWN_FILE:
        raise fail(f"a file of cited numbers must end in {OWN_FILE}, got {file}; rename it")
    try:
        found = parse(_text(file), str(file), tasks=known_tasks())
    except BaselineError as error:
        raise fail(str(error)) from error
    names = dict.fromkeys(each.name for each in found)
    if clash := [name for name in names if name in known_names()]:
        raise fail(f"{file}: '{clash[0]}' is a name of ours already; give your numbers another")
    typer.echo(added_text(file, found))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise fail(f"cannot read {file}: {reason}") from error
