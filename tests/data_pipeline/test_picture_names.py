"""Names of pictures in a folder."""

from pathlib import Path

import pytest

from data_pipeline.datasets.picture_names import is_file, pictures_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.png", "a.JPG", "a.b.jpeg", "notes.txt", "jpg", ".b.jpg", "sub/c.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_pictures_are_listed_by_their_name_without_the_ending(folder: Path) -> None:
    assert list(pictures_in(folder).items()) == [
        ("a", "a.JPG"),  # the first ending wins
        ("a.b", "a.b.jpeg"),
        ("b", "b.jpg"),
        ("sub/c", "sub/c.tif"),
    ]


def test_folders_that_are_links_are_not_followed(folder: Path) -> None:
    (folder / "round").symlink_to(folder)
    assert len(pictures_in(folder)) == 4


def test_no_folder_has_no_pictures(tmp_path: Path) -> None:
    assert pictures_in(tmp_path / "nowhere") == {}


def test_name_that_is_too_long_is_no_file(folder: Path) -> None:
    assert is_file(folder / "b.jpg")
    assert not is_file(folder / ("x" * 5000))
