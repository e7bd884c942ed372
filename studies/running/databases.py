"""Where a workspace's databases are when they are not files: `workspace.yaml`.

It holds addresses without passwords: those come from a file that it names, or from what
PostgreSQL's own programs read (PGPASSWORD, PGPASSFILE).
"""

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from trackers.redaction import is_secret_name

FILE_NAME = "workspace.yaml"
DRIVER = "postgresql+psycopg"
EXAMPLE = f"{DRIVER}://user@host:5432/visionstudy"
_HEADING = "# Written by `visionstudy init`. Passwords do not belong here.\n"


class DatabasesError(ValueError):
    """The databases of a workspace are not named as they must be."""


@dataclass(frozen=True, slots=True)
class Databases:
    """The three databases of a workspace on one PostgreSQL server."""

    ledger: URL
    optuna: URL
    mlflow: URL
    password_file: Path | None = None  # holds the password and nothing else

    @property
    def tracking_uri(self) -> str:
        """The address that MLflow takes."""
        return self.mlflow.render_as_string()


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    ledger: str
    optuna: str
    mlflow: str
    password_file: Path | None = None


def databases_at(address: str, password_file: Path | None = None) -> Databases:
    """Return the databases of a workspace from the address of its ledger.

    Raises:
        DatabasesError: it is no address of a database on a PostgreSQL server.
    """
    ledger = _url(address)
    return Databases(
        ledger,
        optuna=ledger.set(database=f"{ledger.database}_optuna"),
        mlflow=ledger.set(database=f"{ledger.database}_mlflow"),
        password_file=password_file.resolve() if password_file else None,
    )


def read_databases(workspace: Path) -> Databases | None:
    """Return the databases that a workspace names, ready to be connected to; None: it uses files.

    Raises:
        DatabasesError: they are not named as they must be, or their password is not there.
    """
    file = workspace / FILE_NAME
    if not file.exists():
        return None
    try:
        content = _Content.model_validate(YAML(typ="safe").load(file))
    except (ValidationError, YAMLError) as error:
        raise DatabasesError(
            f"{file} must name the databases ledger, optuna and mlflow; write it anew with "
            f"visionstudy init ({' '.join(str(error).split())[:200]})"
        ) from error
    found = Databases(
        ledger=_url(content.ledger),
        optuna=_url(content.optuna),
        mlflow=_url(content.mlflow),
        password_file=content.password_file,
    )
    provide_password(found)
    return found


def write_databases(workspace: Path, databases: Databases) -> None:
    """Name a workspace's databases, whole or not at all."""
    urls = {
        name: getattr(databases, name).render_as_string()
        for name in ("ledger", "optuna", "mlflow")
    }
    password = {"password_file": str(databases.password_file)} if databases.password_file else {}
    draft = workspace / f".{FILE_NAME}.{os.getpid()}"
    with draft.open("w") as stream:
        stream.write(_HEADING)
        YAML().dump({**urls, **password}, stream)
    draft.replace(workspace / FILE_NAME)


def provide_password(databases: Databases) -> None:
    """Hand the password to PostgreSQL's library, where it is in a file.

    By the environment, as MLflow would write an address with a password into its messages.
    """
    file = databases.password_file
    if file is None or "PGPASSWORD" in os.environ:
        return
    try:
        os.environ["PGPASSWORD"] = file.read_text().strip()
    except OSError as error:
        raise DatabasesError(
            f"password file {file} must be readable, got: {error.strerror}; restore it, or set "
            "PGPASSWORD or PGPASSFILE"
        ) from error


def _url(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        raise DatabasesError(f"database must be an address like {EXAMPLE}, got no such") from None
    if url.password is not None or any(_is_password(name) for name in url.query):
        raise DatabasesError(
            "database must be named without its password, which anybody could read there; put "
            "the password into a file and name that with --password-file, or set PGPASSFILE"
        )
    if url.drivername not in ("postgresql", DRIVER) or not url.database:
        shown = url.render_as_string()
        raise DatabasesError(f"database must be an address like {EXAMPLE}, got {shown}")
    return url.set(drivername=DRIVER)


def _is_password(name: str) -> bool:
    """Whether a parameter of an address holds a secret: `password`, `sslpassword`."""
    return name.lower().endswith("password") or is_secret_name(name)
