"""`visionstudy`: the command line. Each verb is a small function in a file of its group.

Only typer is imported here, so that `--help` answers at once; a verb imports what it needs.
"""

import sys
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from studies.cli import (
    catalogs,
    looking,
    planning,
    predicting,
    running,
    scoring,
    study_file,
    tracking,
)
from trackers.event_log import EventLogError

UNUSABLE = 2  # exit status: something on disk cannot be used
# "\b" keeps the lines of a paragraph as they stand.
HELP = """Hyperparameter studies for computer vision: one YAML in, one report out.

The order of work:

\b
  validate  is the study file in order?
  plan      what would run, and what would it cost?
  launch    run it; a second launch resumes
  report    one HTML file with the answer
  ui        browse every run
"""
EPILOG = """Examples:

\b
  visionstudy validate studies/library/quickstart.yaml
  visionstudy launch studies/library/quickstart.yaml --workers 2
  visionstudy launch my_study.yaml --set training.epochs=3
  visionstudy models show unet --classes 5
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
app.command()(running.launch)
app.command()(looking.status)
app.command()(looking.report)
app.command()(looking.ui)
app.command(epilog=predicting.EXAMPLES)(predicting.predict)
app.command(epilog=tracking.EXAMPLES)(tracking.track)
app.command()(running.sync)
app.add_typer(catalogs.models_app, name="models")
app.add_typer(catalogs.data_app, name="data")
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
    except Exception as error:
        # Only looked up: SQLAlchemy is loaded by the verbs that can fail by it.
        database = sys.modules.get("sqlalchemy.exc")
        if database is None or not isinstance(error, database.DatabaseError):
            raise
        _end(f"a database of the workspace cannot be used: {error.orig}")


def _end(message: str) -> NoReturn:
    typer.echo(f"visionstudy: {message}", err=True)
    raise SystemExit(UNUSABLE)
