"""Examples that the memory does not hold are refused before anything is trained."""

import logging
from pathlib import Path

import pytest

from models.detection.rcnn import room
from models.detection.rcnn.settings import RCNNSettings

GIB = 2**30
USUAL = RCNNSettings()


def test_need_is_that_of_all_pools() -> None:
    pools = 80 * (5000 * 4096 + 2000 * 9216) * 4
    need = room.fitting_bytes(USUAL, classes=80, images=118_000)
    assert need == pools + 5000 * 4096 * (4 + 16)
    assert pools / GIB == pytest.approx(11.6, abs=0.05)


def test_few_images_have_few_regions() -> None:
    few = RCNNSettings(proposals=100)
    assert room.fitting_bytes(few, classes=3, images=2) == (
        3 * 200 * (4096 + 9216) * 4 + 200 * 4096 * (4 + 16)
    )
    alone = RCNNSettings(proposals=100, box_regression=False)
    assert room.fitting_bytes(alone, classes=1, images=1) == 100 * 4096 * (4 + 4 + 16)


@pytest.mark.parametrize(("there", "outcome"), [(64, "fits"), (16, "warns"), (8, "refuses")])
def test_memory_decides(
    there: int, outcome: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(room, "memory_bytes", lambda: there * GIB)
    caplog.set_level(logging.WARNING)
    if outcome == "refuses":
        with pytest.raises(
            ValueError,
            match=r"must fit the memory, but 80 classes, hard_negatives 5000 and box_pairs 2000 "
            r"come to 12\.0 GiB of features, of 8\.0 GiB; lower model.hard_negatives",
        ):
            room.require_room(USUAL, classes=80, images=118_000)
    else:
        room.require_room(USUAL, classes=80, images=118_000)
    assert ("may take most of the memory" in caplog.text) == (outcome == "warns")


def test_container_may_have_less_than_its_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(room, "CONTAINER_LIMIT", limit)
    machine = room.memory_bytes()
    limit.write_text("max\n")
    assert room.memory_bytes() == machine > 1000
    limit.write_text("1000\n")
    assert room.memory_bytes() == 1000
