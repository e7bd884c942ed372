"""Files that somebody else may have put into a run."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch


class Bomb:
    """Makes a folder when it is unpickled, as a stand-in for worse."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.mkdir, (self._mark,)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Return the folder that is there once a bomb went off."""
    return tmp_path / "it-ran"


@pytest.fixture(params=["pickle", "torch"])
def bomb(request: pytest.FixtureRequest, mark: Path) -> bytes:
    """Return a malicious file, as pickle writes it and as torch.save does."""
    content = {"weight": Bomb(mark)}
    if request.param == "pickle":
        return pickle.dumps(content, protocol=2)  # torch warns of later ones
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


@pytest.fixture
def planted(tmp_path: Path, bomb: bytes) -> Callable[[str], Path]:
    """Return a function that puts the malicious file under a name."""

    def plant(name: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bomb)
        return file

    return plant
