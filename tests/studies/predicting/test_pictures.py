"""What is named is found once, and no two pictures' outputs are called alike."""

from pathlib import Path

import pytest

from studies.predicting.pictures import NoPictureError, find_pictures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with pictures of the same names in it."""
    for name in ("a/x.jpg", "b/x.jpg", "b/x.png", "b/deep/y.JPG", "z.tif", "notes.txt"):
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "in"


def names(*given: object) -> dict[str, str]:
    found = find_pictures([str(each) for each in given], {})
    return {picture.name: picture.file.name for picture in found}


def test_a_folder_keeps_its_structure(folder: Path) -> None:
    found = names(folder)
    assert found.keys() >= {"a/x", "b/x", "b/deep/y", "z"}
    assert "notes" not in found


def test_a_file_is_named_alone_and_two_alike_by_their_folders(folder: Path) -> None:
    assert names(folder / "a" / "x.jpg") == {"x": "x.jpg"}
    found = find_pictures([str(folder / "a" / "x.jpg"), str(folder / "b" / "x.jpg")], {})
    assert [each.name for each in found] == ["b/x", "x"]


def test_pictures_that_differ_by_their_ending_alone_differ_in_name(folder: Path) -> None:
    found = find_pictures([str(folder / "b" / "x.jpg"), str(folder / "b" / "x.png")], {})
    assert len({each.name for each in found}) == 2


def test_a_folder_names_both_pictures_that_differ_by_their_ending_alone(folder: Path) -> None:
    assert names(folder / "b") == {"x": "x.jpg", "x_png": "x.png", "deep/y": "y.JPG"}


def test_a_name_with_an_ending_is_no_other_pictures(folder: Path) -> None:
    (folder / "b" / "x_png.jpg").touch()
    found = names(folder / "b")
    assert sorted(found.values()) == ["x.jpg", "x.png", "x_png.jpg", "y.JPG"]


def test_what_was_predicted_before_is_no_picture(folder: Path) -> None:
    outputs = folder / "b" / "deep"
    given = [str(folder), str(folder / "**" / "*.JPG"), str(folder / "z.tif")]
    (folder / "w.JPG").touch()
    found = find_pictures(given, {}, without=[outputs, folder / "nowhere"])
    assert {each.name for each in found} == {"a/x", "b/x", "b/x_png", "w", "z"}


@pytest.mark.parametrize("given", ["b/deep", "b/deep/*", "b/deep/y.JPG"])
def test_to_name_only_what_was_predicted_is_an_error(folder: Path, given: str) -> None:
    with pytest.raises(NoPictureError, match="must hold a picture that is no output of a pred"):
        find_pictures([str(folder / given)], {}, without=[folder / "b" / "deep"])


def test_a_pattern_finds_pictures_and_nothing_else(folder: Path) -> None:
    assert set(names(folder / "**" / "*").values()) == {"x.jpg", "x.png", "y.JPG", "z.tif"}


def test_what_is_named_twice_is_found_once(folder: Path) -> None:
    assert len(find_pictures([str(folder), str(folder / "a" / "x.jpg")], {})) == len(
        find_pictures([str(folder)], {})
    )


def test_a_picture_keeps_the_name_it_had(folder: Path) -> None:
    late = folder / "b" / "x.jpg"
    found = find_pictures([str(folder / "a" / "x.jpg"), str(late)], {str(late): "x"})
    assert {each.name: each.file.parent.name for each in found} == {"x": "b", "a/x": "a"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("in/zz.tif", r"there is no file, folder or pattern .*did you mean '.*in/z.tif'"),
        ("in/*.gif", "must match a picture, got none"),
        ("empty", "must hold a picture"),
    ],
)
def test_what_names_no_picture_is_an_error(
    folder: Path, given: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.parent / "empty").mkdir()
    monkeypatch.chdir(folder.parent)
    with pytest.raises(NoPictureError, match=words):
        find_pictures([given], {})
