"""The workspace's Optuna database; a file is created once and whole.

Creating the schema is not atomic: a process killed half-way, or two at once, would leave a file
that no later one can open. So the schema is made in a temporary file that is renamed.
"""

import fcntl
import os
from pathlib import Path

import optuna
from sqlalchemy import URL
from sqlalchemy.exc import DatabaseError

LOCK_TIMEOUT_S = 60
CONNECT_TIMEOUT_S = 10


def open_storage(place: Path | URL) -> optuna.storages.RDBStorage:
    """Open the database; a file is created first where there is none.

    The tables on a server are made by `visionstudy init`, one process at a time.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if isinstance(place, URL):
        options = {"pool_pre_ping": True, "connect_args": {"connect_timeout": CONNECT_TIMEOUT_S}}
        return optuna.storages.RDBStorage(place.render_as_string(), engine_kwargs=options)
    if not place.exists():
        _create(place)
    try:
        return _storage(place)
    except DatabaseError:  # only a copy: the ledger holds all that is in it
        place.replace(place.with_suffix(".damaged"))
        _create(place)
        return _storage(place)


def _storage(file: Path) -> optuna.storages.RDBStorage:
    return optuna.storages.RDBStorage(
        f"sqlite:///{file}", engine_kwargs={"connect_args": {"timeout": LOCK_TIMEOUT_S}}
    )


def _create(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if file.exists():
            return
        temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)
        _storage(temporary).engine.dispose()
        temporary.replace(file)
