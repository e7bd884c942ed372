"""`visionstudy gc` and `fork`: keep a workspace in order, and go on from another study."""

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli.next_step import next_command
from studies.cli.options import DEFAULT_WORKSPACE, Overrides, StudyFile, Workspace
from studies.cli.reading import fail, read_study
from studies.cli.recorded import open_known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from studies.upkeep.leftovers import Leftover

MB = 10**6


def gc(
    workspace: Workspace = DEFAULT_WORKSPACE,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete it; without this it is only listed.")
    ] = False,
    every: Annotated[bool, typer.Option("--list", help="Name every file and folder.")] = False,
) -> None:
    """Show what may be deleted from a workspace.

    Of finished studies: checkpoints, and weights that they do not keep. Of all: trial folders
    that the ledger does not know, and cached samples that no unfinished study opened. Nothing
    that a report shows, that `launch` needs to go on, or that an unfinished study starts from.

    Exit status: 0 it is listed, or deleted; 2 there is no such workspace.
    """
    place, ledger = open_known(workspace)
    # Lazy: it loads SQLAlchemy and pydantic, which `visionstudy --help` must not wait for.
    from studies.upkeep.leftovers import clear_leftovers, find_leftovers

    try:
        found = clear_leftovers(ledger, place) if delete else find_leftovers(ledger, place)
        sizes = _print_leftovers(found, place.folder, every=every)
        command = next_command("gc", "--delete", workspace=workspace)
        typer.echo(_to_delete(sizes, command, is_gone=delete))
    finally:
        ledger.close()


def fork(
    study: StudyFile,
    name: Annotated[
        str, typer.Option("--as", metavar="NAME", help="What the new study is called.")
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--of",
            metavar="STUDY",
            help="Study whose results are taken; the one that the file names when not given.",
        ),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="STAGE", help="Take the stages above this one; measure it anew."
        ),
    ] = None,
    overrides: Overrides = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Make a study that begins with another one's results.

    Cells that both studies ask for, by settings, seed, data and code, are taken over with their
    logs and weights and are not trained again; all others are left to `launch`. The other study
    stays as it is. Seeds that failed, were lost or stopped are left to be tried, and what was
    pruned where its stage is asked for otherwise.

    Exit status: 0 it can be launched; 2 it cannot be made.
    """
    place, ledger = open_known(workspace)
    try:
        loaded = read_study(study, [*(overrides or []), f"study={name}"], place=place)
        # Lazy: as above.
        from studies.running.starting import UnusableStartError
        from studies.upkeep.forking import NotForkedError, fork_study

        original = source or read_study(study, check_data=False).spec.study
        try:
            taken = fork_study(ledger, place, loaded, source=original, above=stage)
        except (NotForkedError, UnusableStartError) as error:
            raise fail(str(error)) from error
    finally:
        ledger.close()
    typer.echo(f"study '{name}' begins with {len(taken)} cells of study '{original}'")
    if not taken:
        where = f" above stage '{stage}'" if stage else ""
        typer.echo(
            f"no cell{where} has ended with a result there; see visionstudy status {original}"
        )
    words = ("launch", str(study), "--as", name)
    typer.echo(f"next: {next_command(*words, changes=overrides, workspace=workspace)}")


def _print_leftovers(found: "Iterable[Leftover]", folder: Path, *, every: bool) -> list[int]:
    """Print leftovers as they are found or deleted, and return their sizes in bytes."""
    sizes: dict[tuple[str, str], list[int]] = defaultdict(list)
    for each in found:
        sizes[each.kind, each.study].append(each.size)
        if every:
            typer.echo(f"{each.size / MB:>10.1f} MB  {each.path.relative_to(folder)}")
    for (kind, study), all_sizes in sizes.items():
        of = f" of study '{study}'" if study else ""
        typer.echo(f"{sum(all_sizes) / MB:>10.1f} MB  {len(all_sizes)} {kind}{of}")
    return [size for each in sizes.values() for size in each]


def _to_delete(sizes: list[int], command: str, *, is_gone: bool) -> str:
    total = sum(sizes) / MB
    if is_gone:
        return f"deleted {total:.1f} MB"
    if sizes:
        return f"{total:.1f} MB may go; delete it by: {command}"
    return "there is nothing to delete"
