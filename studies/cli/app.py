"""`visionstudy`: the command line. Each verb is a small function in a file of its group.

Only typer is imported here, so that `--help` answers at once; a verb imports what it needs.
"""

import sys
import traceback
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from studies.cli import (
    baselines,
    catalogs,
    comparing,
    databases,
    doctor,
    explaining,
    looking,
    looking_inside,
    planning,
    predicting,
    rate_range,
    running,
    scoring,
    steering,
    study_file,
    tracking,
    upkeep,
    verifying,
)
from trackers.event_log import EventLogError
from trackers.redaction import redact

UNUSABLE = 2  # exit status: something on disk cannot be used
DEFECT = 1  # exit status, as Python's: of an error that no verb expects
# "\b" keeps the lines of a paragraph as they stand.
HELP = """Hyperparameter studies for computer vision: one YAML in, one report out.

The order of work:

\b
  validate  is the study file in order?
  plan      what would run, and what would it cost?
  launch    run it; a second launch resumes
  status    what runs, what waits and why?
  report    one HTML file with the answer
  ui        browse every run

A study trains cells: a cell is one configuration with one seed (and one fold, where the study is
cross-validated; and one class, where each class has a network of its own).
"""
EPILOG = """Examples:

\b
  visionstudy validate studies/library/quickstart.yaml
  visionstudy launch studies/library/quickstart.yaml --workers 2
  visionstudy launch my_study.yaml --set training.epochs=3
  visionstudy models show unet --classes 5
  visionstudy doctor
"""

app = typer.Typer(
    name="visionstudy",
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they would show locals, which may hold passwords
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"visionstudy {version('visionstudy')}")
        raise typer.Exit


@app.callback()
def visionstudy(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Take the options that come before the verb."""


# Verbs, in the order in which `--help` lists them.
app.command()(study_file.validate)
app.command()(study_file.schema)
app.command()(planning.plan)
app.command("lr-range", epilog=rate_range.EXAMPLES)(rate_range.lr_range)
app.command()(databases.init)
app.command()(running.launch)
app.command()(explaining.status)
app.command()(explaining.why)
app.command()(steering.stop)
app.command()(steering.retry)
app.command()(looking.report)
app.command()(comparing.compare)
app.command()(verifying.verify)
app.command()(looking.ui)
app.command()(looking.dashboard)
app.command(epilog=predicting.EXAMPLES)(predicting.predict)
app.command(epilog=looking_inside.EXAMPLES)(looking_inside.explain)
app.command(epilog=tracking.EXAMPLES)(tracking.track)
app.command()(running.sync)
app.command()(doctor.doctor)
app.command()(upkeep.fork)
app.command()(upkeep.gc)
app.add_typer(catalogs.models_app, name="models")
app.add_typer(catalogs.data_app, name="data")
app.add_typer(baselines.baselines_app, name="baselines")
app.add_typer(scoring.score_app, name="score")


def main() -> None:
    """Run the command line; what a user can mend ends in a sentence, not in a traceback."""
    try:
        app()
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _end(f"{error.strerror or error}{where}")
    except EventLogError as error:
        _end(str(error))
    except Exception as error:  # noqa: BLE001 - the boundary: shown without secrets
        if _is(error, "studies.tree.ledger_errors", "LedgerError") or _is(
            error, "studies.running.databases", "DatabasesError"
        ):
            _end(str(error))
        if _is(error, "sqlalchemy.exc", "DatabaseError"):
            _end(f"a database of the workspace cannot be used: {getattr(error, 'orig', error)}")
        _crash(error)


def _is(error: Exception, module: str, name: str) -> bool:
    """Whether an error is of a class that only the verbs that can fail by it load."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(error, getattr(loaded, name))


def _end(message: str) -> NoReturn:
    typer.echo(f"visionstudy: {redact(message)}", err=True)
    raise SystemExit(UNUSABLE)


def _crash(error: Exception) -> NoReturn:
    """Show a defect's traceback as Python would, but no secret that it quotes."""
    typer.echo(redact("".join(traceback.format_exception(error))), nl=False, err=True)
    raise SystemExit(DEFECT)
