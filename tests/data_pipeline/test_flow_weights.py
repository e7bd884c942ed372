"""The file of RAFT's weights is looked for with the data, and known by what it holds."""

from pathlib import Path
from typing import Any

import pytest

from data_pipeline.catalog import check_data, data_fingerprint
from data_pipeline.datasets.settings.generated import StreetActionsData
from data_pipeline.errors import MissingDataError


def films(**flow: Any) -> StreetActionsData:
    return StreetActionsData.model_validate({"clip": {"flow": flow} if flow else {}})


def test_weights_that_are_not_there_are_named_before_anything_is_trained(tmp_path: Path) -> None:
    file = tmp_path / "raft.pth"
    settings = films(method="raft", weights=str(file))
    [problem] = check_data(settings)
    assert problem.startswith("data.clip.flow.weights must be a file with the weights of")
    assert f"got no file {file} (seen from" in problem
    with pytest.raises(MissingDataError, match=r"raft\.pth.*correct clip\.flow\.weights"):
        data_fingerprint(settings)
    file.write_bytes(b"weights")
    assert check_data(settings) == []
    assert check_data(films(method="raft")) == check_data(films()) == []


def test_fingerprint_of_the_data_follows_what_the_file_holds(tmp_path: Path) -> None:
    contents = {"a": b"one", "b": b"one", "c": b"two"}
    found = {}
    for name, content in contents.items():
        file = tmp_path / name
        file.write_bytes(content)
        found[name] = data_fingerprint(films(method="raft", weights=str(file)))
    plain = data_fingerprint(films())
    assert found["a"] == found["b"]
    assert len({found["a"], found["c"], plain}) == 3
    assert data_fingerprint(films(method="raft")) == plain
