"""`visionstudy stop` and `retry`: steer a study, on whatever host it runs."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli.options import DEFAULT_WORKSPACE, StudyName, Workspace
from studies.cli.reading import fail
from studies.cli.recorded import open_known, recorded, study_name

if TYPE_CHECKING:
    from studies.running.workspace import WorkspaceFolder
    from studies.tree.ledger import Ledger
    from trackers.records import StudyRecord

STILL_RUNS = 1  # exit status
LOOK_S = 0.5  # between looks whether it has stopped
PATIENCE_S = 300.0  # for trials to write their checkpoints, the report and the last uploads


def stop(
    study: StudyName,
    workspace: Workspace = DEFAULT_WORKSPACE,
    now: Annotated[
        bool,
        typer.Option("--now", help="Kill its trials: epochs since their checkpoints are lost."),
    ] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.0, metavar="SECONDS", help="How long to wait.")
    ] = PATIENCE_S,
) -> None:
    """Stop a study with checkpoints.

    Asks the process that runs it, and waits until it has stopped. It may run on another host: the
    request goes by the ledger. `launch` goes on from there.

    Exit status: 0 nobody runs it any more; 1 it still runs; 2 there is no such study.
    """
    place, ledger = open_known(workspace)
    try:
        known = recorded(ledger, place, study_name(study))
        name = known.record.name
        if known.runner is None:
            typer.echo(f"nobody runs study '{name}'; there is nothing to stop")
            return
        # Lazy: it loads SQLAlchemy, which `visionstudy --help` must not wait for.
        from studies.running.requests import KILL, STOP

        ledger.ask(name, KILL if now else STOP)
        typer.echo(f"asked {known.runner} to stop study '{name}'; waiting")
        if not _has_ended(place, name, timeout_s):
            typer.echo(
                f"study '{name}' still runs after {timeout_s:g} s; wait longer, or kill its "
                "trials by --now",
                err=True,
            )
            raise typer.Exit(STILL_RUNS)
        typer.echo(_what_came(recorded(ledger, place, name).record))
    finally:
        ledger.close()


def retry(
    study: StudyName,
    cells: Annotated[
        list[str] | None,
        typer.Argument(metavar="CELL", help="Ids; the first digits are enough."),
    ] = None,
    failed: Annotated[
        bool,
        typer.Option("--failed", help="All that failed, were lost, stopped or are infeasible."),
    ] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Plan cells again that ended without a result.

    They go on from their checkpoints. A study that runs tries them at once; another one does when
    it is launched. Micro-batches begin whole again, so that what ran out of memory may succeed on
    a larger GPU. A launch by itself tries again what failed, was lost or stopped, but not what is
    infeasible. What a pruner ended stays ended, by either: its configuration's other seeds and the
    sampler went by that.

    Exit status: 0 they are planned; 2 there is no such study or cell, or a cell has a result.
    """
    if not cells and not failed:
        raise fail("retry must know which cells: name them, or take all that failed by --failed")
    place, ledger = open_known(workspace)
    try:
        name = recorded(ledger, place, study_name(study)).record.name
        typer.echo(_retry(place, ledger, name, cells or [], failed=failed))
    finally:
        ledger.close()


def _retry(
    place: "WorkspaceFolder", ledger: "Ledger", name: str, cells: list[str], *, failed: bool
) -> str:
    # Lazy: it loads SQLAlchemy, which `visionstudy --help` must not wait for.
    from studies.running.retrying import NotRetriableError, cells_to_retry, retry_cells

    try:
        chosen = cells_to_retry(ledger, name, cells, all_failed=failed)
    except NotRetriableError as error:
        raise fail(str(error)) from error
    if not chosen:
        return f"study '{name}' has no cell that failed; there is nothing to try again"
    done = retry_cells(place, ledger, name, chosen)
    ids = ", ".join(done.cells)
    if done.runner:
        return f"asked {done.runner} to try again: {ids}"
    return f"planned again: {ids}; launch study '{name}' to go on"


def _has_ended(place: "WorkspaceFolder", name: str, timeout_s: float) -> bool:
    lease, deadline = place.lease(name), time.monotonic() + timeout_s
    while lease.is_held():
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_S)
    return True


def _what_came(record: "StudyRecord") -> str:
    if record.is_finished:
        return f"study '{record.name}' had finished by then"
    stopped = sum(cell.outcome == "stopped" for cell in record.cells.values())
    return (
        f"study '{record.name}' has stopped: {record.note or 'it ended'}; {stopped} cells go on "
        "from their checkpoints when it is launched again"
    )
