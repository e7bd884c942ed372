"""What is kept, and hashes that notice a change."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from data_pipeline import integrity
from data_pipeline.cache import SampleCache, cache_folder, sample_bytes
from data_pipeline.integrity import file_sha256, hash_of
from data_pipeline.samples import SegmentationSample


def sample(name: str) -> SegmentationSample:
    return SegmentationSample(name, np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8))


def test_cache_keeps_what_came_first_and_never_more_than_its_limit() -> None:
    size = sample_bytes(sample("a"))
    cache = SampleCache(limit_bytes=2 * size)
    for index in range(4):
        cache.offer(index, sample("a"))
    assert [index in cache for index in range(4)] == [True, True, False, False]
    assert cache.used_bytes == 2 * size
    assert cache.get(3) is None


def test_size_of_a_sample_counts_its_arrays() -> None:
    assert 256 <= sample_bytes(sample("a")) < 256 + 100


def test_offering_a_sample_twice_counts_it_once() -> None:
    cache = SampleCache()
    cache.offer(0, sample("a"))
    used = cache.used_bytes
    cache.offer(0, sample("a"))
    assert cache.used_bytes == used


def test_cache_lies_in_the_workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here" / "cache"
    monkeypatch.delenv("VISIONSTUDY_WORKSPACE")
    monkeypatch.chdir(tmp_path)
    assert cache_folder() == tmp_path / "runs" / "cache"


def test_hash_of_parts_tells_where_a_part_ends() -> None:
    assert hash_of(["ab", "c"]) != hash_of(["a", "bc"])
    assert hash_of(["ab", "c"]) == hash_of(iter(["ab", "c"]))


def test_file_hash_is_the_sha256_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert file_sha256(tmp_path / "file") == hashlib.sha256(b"content").hexdigest()


def test_large_file_is_hashed_once_and_again_when_it_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(integrity, "REMEMBERED_FROM_BYTES", 1)
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "runs"))
    file = tmp_path / "large"
    file.write_bytes(b"first")
    first = file_sha256(file)
    [note] = (tmp_path / "runs" / "cache" / "hashes").iterdir()
    assert json.loads(note.read_text())["sha256"] == first
    note.write_text(json.dumps({"sha256": "remembered"}))
    assert file_sha256(file) == "remembered"
    file.write_bytes(b"other")
    os.utime(file, ns=(1, 1))
    assert file_sha256(file) == hashlib.sha256(b"other").hexdigest()


def test_small_file_is_hashed_without_writing_anything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "runs"))
    (tmp_path / "file").write_bytes(b"content")
    file_sha256(tmp_path / "file")
    assert not (tmp_path / "runs").exists()
