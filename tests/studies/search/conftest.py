"""An Optuna database to start from: creating one takes seconds."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.storages import RDBStorage

from studies.search.storage import open_storage


@pytest.fixture(scope="session")
def template_storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("optuna") / "optuna.db"
    open_storage(file).engine.dispose()
    return file


@pytest.fixture
def storage_file(template_storage: Path, tmp_path: Path) -> Path:
    """Return an empty Optuna database."""
    return Path(shutil.copy(template_storage, tmp_path / "optuna.db"))


@pytest.fixture
def database(storage_file: Path) -> Iterator[RDBStorage]:
    """Return an open, empty Optuna database."""
    opened = open_storage(storage_file)
    yield opened
    opened.engine.dispose()
