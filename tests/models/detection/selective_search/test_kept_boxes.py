"""Boxes that were searched for stay in the workspace."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.detection.search_settings import SearchSettings
from models.detection.selective_search import kept_boxes, proposals
from models.detection.selective_search.proposals import remembered, searched

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float32]
SETTINGS = SearchSettings(proposals=20)


def picture(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)


@pytest.fixture
def regions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path))
    return tmp_path / "cache" / "regions"


@pytest.fixture
def new_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Forget what is in memory, as a process that has just begun."""
    return lambda: monkeypatch.setattr(proposals, "_KEPT", {})


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch, new_process: Callable[[], None]) -> list[Pixels]:
    done: list[Pixels] = []

    def counted(rgb: Pixels, settings: SearchSettings) -> Boxes:
        done.append(rgb)
        return searched(rgb, settings)

    monkeypatch.setattr(proposals, "searched", counted)
    new_process()
    return done


def files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


def test_another_process_finds_what_was_searched(
    regions: Path, searches: list[Pixels], new_process: Callable[[], None]
) -> None:
    first = remembered(picture(1), SETTINGS)
    new_process()
    second = remembered(picture(1), SETTINGS)
    assert len(searches) == len(files(regions)) == 1
    assert second.dtype == np.float32
    np.testing.assert_array_equal(first, second)


def test_what_another_version_searched_is_searched_again(
    regions: Path,
    searches: list[Pixels],
    new_process: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remembered(picture(1), SETTINGS)
    new_process()
    monkeypatch.setattr(proposals, "NUMERICS", -1)
    remembered(picture(1), SETTINGS)
    assert len(searches) == len(files(regions)) == 2


@pytest.mark.parametrize("damage", ["torn", "changed", "empty", "folder"])
def test_damaged_boxes_are_searched_again(
    damage: str, regions: Path, searches: list[Pixels], new_process: Callable[[], None]
) -> None:
    whole = remembered(picture(2), SETTINGS)
    (file,) = files(regions)
    content = file.read_bytes()
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        changed = content[:-1] + bytes([content[-1] ^ 1])
        file.write_bytes({"torn": content[:-16], "changed": changed, "empty": b""}[damage])
    new_process()
    np.testing.assert_array_equal(remembered(picture(2), SETTINGS), whole)
    assert len(searches) == 2
    assert all(each.read_bytes() == content for each in files(regions))  # and nothing half done


def test_without_a_workspace_nothing_is_written(
    tmp_path: Path, searches: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISIONSTUDY_WORKSPACE")
    monkeypatch.chdir(tmp_path)
    remembered(picture(3), SETTINGS)
    assert len(searches) == 1
    assert files(tmp_path) == []


def test_a_place_that_cannot_be_written_only_costs_the_search(
    tmp_path: Path, searches: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file, where a folder should be")
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path))
    assert len(remembered(picture(3), SETTINGS)) == 20
    assert len(searches) == 1


def test_what_is_kept_stays_within_its_bound(
    regions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = np.ones((100, 4), np.float32)  # 1.6 kB, of which a share holds three
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", str(256 * 5000 / 1e9))
    digests = [bytes([7, number]) + bytes(14) for number in range(40)]
    for digest in digests:
        kept_boxes.keep_boxes(digest, boxes)
        assert kept_boxes.kept_boxes(digest) is not None
    assert sum(file.stat().st_size for file in files(regions)) <= 5000
    assert len(files(regions)) == 3
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", "0")
    kept_boxes.keep_boxes(bytes(16), boxes)
    assert kept_boxes.kept_boxes(bytes(16)) is None


def test_any_number_may_keep_the_same_boxes_at_once(regions: Path) -> None:
    boxes, digest = np.ones((100_000, 4), np.float32), bytes(16)

    def keep_and_find(_: int) -> bool:
        kept_boxes.keep_boxes(digest, boxes)
        found = kept_boxes.kept_boxes(digest)
        return found is not None and np.array_equal(found, boxes)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(keep_and_find, range(60)))
    assert len(files(regions)) == 1


def test_memory_too_small_for_an_epoch_still_saves_searches(
    searches: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest first would search every picture of every epoch: 30 times."""
    monkeypatch.delenv("VISIONSTUDY_WORKSPACE")
    monkeypatch.setattr(proposals, "MOST_KEPT", 8)
    for _ in range(3):
        for seed in range(10):
            remembered(picture(seed), SETTINGS)
    assert len(searches) < 25
    assert len(proposals._KEPT) == 8
