"""`visionstudy data check`: is the data what it says it is, and is nothing in two splits?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace
from studies.cli.reading import fail, read_study
from studies.running.workspace import open_workspace

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from data_pipeline.integrity.examined import Progress
    from studies.running.data_check import CheckedData, Steps, Subject

FOUND = 1  # exit status: something is left out, or in two splits


def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="STUDY|DATASET",
            help="Study file (YAML), or a name that `data list` prints.",
            show_default=False,
        ),
    ],
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="DIR", help="Folder of the dataset, if one is named."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="TASK",
            help="What the dataset is read for; object_detection when not given, or the only "
            "task it has labels for. A study names its own.",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Replace a setting of the study, or of the dataset, e.g. --set split_list=2. "
            "May be repeated.",
        ),
    ] = None,
    leaks: Annotated[
        bool,
        typer.Option("--leaks/--no-leaks", help="Look for the same image or video in two splits."),
    ] = True,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write a page with pictures there."),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Decode everything, and say what is wrong with it.

    Every image, label image and video is decoded, once: what was found is kept in the workspace,
    and only what has changed is decoded again. Limits of a study are not applied.

    Exit status: 0 nothing but notes (crowds, images without annotation, grey pictures, a group
    that the dataset's own split cuts); 1 something is damaged or absent, or is in two splits;
    2 the data cannot be used.

    --json prints {"dataset", "task", "splits": [...], "faults": [...], "classes": [...], "leaks",
    "warnings"}; a split has name, samples, usable and left_out (ids); a fault kind, split, where,
    message, leaves_out (sample, box, unused or nothing) and count; a class name, images and
    objects (by split; empty where the task knows no objects); a leak kind, message and the two
    samples (split and id); leaks is null when they were not looked for.
    """
    open_workspace(workspace)
    subject = _subject(target, root, task=task, changes=changes or [])
    checked = _check(subject, with_leaks=leaks, quiet=as_json)
    # Lazy: it loads rich, which `visionstudy --help` must not wait for.
    from rich.console import Console

    from studies.cli.data_check_output import checked_json, print_checked

    if output is not None:
        _write_page(checked, output)
    if as_json:
        typer.echo(checked_json(checked))
    else:
        print_checked(Console(), checked)
        if output is not None:
            typer.echo(f"page: {output}")
    if not checked.is_sound:
        raise typer.Exit(FOUND)


def _subject(target: str, root: Path | None, *, task: str | None, changes: list[str]) -> "Subject":
    """Return what to check, or end with what is wrong with it."""
    # Lazy: pydantic and the catalogs would make `visionstudy --help` wait.
    from data_pipeline.errors import DataError
    from studies.running.data_check import dataset_subject, study_subject

    try:
        if not target.endswith((".yaml", ".yml")):
            return dataset_subject(target, root, task=task, changes=changes)
        if root is not None or task is not None:
            raise fail("--root and --task go with a dataset's name; a study says both itself")
        return study_subject(read_study(Path(target), changes).spec)
    except (ValueError, DataError) as error:
        raise fail(str(error)) from error


def _check(subject: "Subject", *, with_leaks: bool, quiet: bool) -> "CheckedData":
    # Lazy: they load OpenCV and rich, which `visionstudy --help` must not wait for.
    from rich.console import Console
    from rich.progress import Progress as Bar

    from data_pipeline.errors import DataError
    from studies.running.data_check import check_subject

    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        try:
            return check_subject(subject, with_leaks=with_leaks, steps=_steps(bar))
        except DataError as error:
            raise fail(str(error)) from error


def _steps(bar: "Bar") -> "Steps":
    """Show every step as a bar of its own."""

    def begun(name: str) -> "Progress":
        step = bar.add_task(name, total=None)
        return lambda done, total: bar.update(step, completed=done, total=total)

    return begun


def _write_page(checked: "CheckedData", file: Path) -> None:
    # Lazy: it loads Plotly, which neither `--help` nor a table must wait for.
    from reports.data_page import write_data_page
    from studies.running.data_record import data_record

    record = data_record(
        checked.findings,
        checked.splits,
        checked.subject.settings,
        leakage=checked.leakage,
        warnings=checked.warnings,
    )
    write_data_page(record, file)
