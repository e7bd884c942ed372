"""Hashes that notice a change."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from data_pipeline import hashing
from data_pipeline.hashing import file_sha256, files_sha256, hash_of


def test_hash_of_parts_tells_where_a_part_ends() -> None:
    assert hash_of(["ab", "c"]) != hash_of(["a", "bc"])
    assert hash_of(["ab", "c"]) == hash_of(iter(["ab", "c"]))


def test_file_hash_is_the_sha256_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert file_sha256(tmp_path / "file") == hashlib.sha256(b"content").hexdigest()


def test_large_file_is_hashed_once_and_again_when_it_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hashing, "REMEMBERED_FROM_BYTES", 1)
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


def test_hash_of_several_files_follows_names_contents_and_order(tmp_path: Path) -> None:
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    three.write_bytes(b"1")
    hashes = [files_sha256(files) for files in ([one, two], [two, one], [three, two], [one])]
    assert len(set(hashes)) == 4
    assert files_sha256(iter([one, two])) == hashes[0]


def test_many_files_are_hashed_once_and_again_when_one_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hashing, "REMEMBERED_FROM_FILES", 2)
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "runs"))
    files = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        file.write_bytes(b"first")
    first = files_sha256(files)
    [note] = (tmp_path / "runs" / "cache" / "hashes").iterdir()
    assert json.loads(note.read_text())["sha256"] == first
    note.write_text(json.dumps({"sha256": "remembered"}))
    assert files_sha256(files) == "remembered"
    os.utime(files[1], ns=(1, 1))
    assert files_sha256(files) == first


def test_a_name_that_is_not_utf_8_is_hashed() -> None:
    assert hash_of([os.fsdecode(b"caf\xe9")]) != hash_of(["caf"])
