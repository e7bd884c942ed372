"""`visionstudy init`: set a workspace up on a PostgreSQL server."""

from pathlib import Path
from typing import Annotated

import typer

from studies.cli.options import DEFAULT_WORKSPACE, Workspace
from studies.cli.reading import fail
from studies.running.workspace import open_workspace


def init(
    database: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Database of the ledger, without a password: "
            "postgresql+psycopg://user@host:5432/NAME. NAME_optuna and NAME_mlflow go beside it.",
            show_default=False,
        ),
    ],
    password_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File that holds the password; PGPASSWORD or PGPASSFILE when not given.",
        ),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Put a workspace's databases on a PostgreSQL server.

    They are its ledger, Optuna's copy and MLflow's. Creates the three and their tables where they
    are missing, moves the studies of a workspace that used files, and writes the addresses into
    workspace.yaml, where all verbs find them. May be run again. Trials' folders stay in the
    workspace.
    """
    # Lazy: they load SQLAlchemy and Optuna, which `visionstudy --help` must not wait for.
    from studies.running.databases import DatabasesError, databases_at
    from studies.running.init_databases import init_databases

    place = open_workspace(workspace)
    try:
        databases = databases_at(database, password_file)
        init_databases(place, databases, typer.echo)
    except DatabasesError as error:
        raise fail(str(error)) from error
    typer.echo(f"workspace {workspace} uses {databases.ledger.render_as_string()}")
