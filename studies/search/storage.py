"""The workspace's Optuna database, created once and whole.

Creating the schema is not atomic: a process killed half-way, or two at once, would leave a file
that no later one can open. So the schema is made in a temporary file that is renamed.
"""

import fcntl
import os
from pathlib import Path

import optuna
from sqlalchemy.exc import DatabaseError

LOCK_TIMEOUT_S = 60


def open_storage(file: Path) -> optuna.storages.RDBStorage:
    """Open the database, creating it first where there is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if not file.exists():
        _create(file)
    try:
        return _storage(file)
    except DatabaseError:  # only a copy: the ledger holds all that is in it
        file.replace(file.with_suffix(".damaged"))
        _create(file)
        return _storage(file)


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
