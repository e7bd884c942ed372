"""Names that lead out of a dataset's folder."""

from pathlib import Path

import pytest

from data_pipeline.errors import InvalidDataError
from data_pipeline.paths import name_problem, safe_path

OUTSIDE = [
    "",
    "/etc/passwd",
    "..",
    "../outside.jpg",
    "a/../../outside.jpg",
    "a/b/../../../outside.jpg",
    "..\\outside.jpg",
    "\\\\server\\share\\x.jpg",
    "C:\\x.jpg",
    "a\0b.jpg",
    "\ud800.jpg",
]
INSIDE = ["a.jpg", "a/b.jpg", "a/../b.jpg", "./a.jpg", "..jpg", "a..b/c.jpg", "täg.jpg", "~a.jpg"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    assert name_problem(name) is not None
    with pytest.raises(InvalidDataError, match=r"file name .* must ") as caught:
        safe_path(tmp_path, name)
    assert caught.value.kind == "unsafe_path"


@pytest.mark.parametrize("name", INSIDE)
def test_a_name_inside_is_taken_whether_it_exists_or_not(tmp_path: Path, name: str) -> None:
    assert name_problem(name) is None
    assert safe_path(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize("name", ["a/..", "."])
def test_the_folder_itself_is_no_file_in_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidDataError):
        safe_path(tmp_path, name)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "up").symlink_to(tmp_path)
    for name in ("link.jpg", "up/secret.jpg"):
        with pytest.raises(InvalidDataError, match="by a link"):
            safe_path(folder, name)


def test_a_folder_beside_of_a_like_name_is_outside(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data2").mkdir()
    (tmp_path / "data" / "x").symlink_to(tmp_path / "data2")
    with pytest.raises(InvalidDataError):
        safe_path(tmp_path / "data", "x/a.jpg")


def test_links_within_the_folder_and_to_the_folder_are_followed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"x")
    (folder / "b.jpg").symlink_to("a.jpg")
    (tmp_path / "link").symlink_to(folder)
    assert safe_path(tmp_path / "link", "b.jpg").read_bytes() == b"x"


def test_links_may_lead_where_the_user_says_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("data", "kept", "kept2"):
        (tmp_path / name).mkdir()
    (tmp_path / "kept" / "a.jpg").write_bytes(b"x")
    (tmp_path / "kept2" / "b.jpg").write_bytes(b"y")
    for name, target in (("a.jpg", "kept/a.jpg"), ("b.jpg", "kept2/b.jpg")):
        (tmp_path / "data" / name).symlink_to(tmp_path / target)
    monkeypatch.setenv("VISIONSTUDY_LINK_TARGETS", f"{tmp_path / 'other'}:{tmp_path / 'kept'}")
    assert safe_path(tmp_path / "data", "a.jpg").read_bytes() == b"x"
    with pytest.raises(InvalidDataError, match=r"by a link \(but to VISIONSTUDY_LINK_TARGETS\)"):
        safe_path(tmp_path / "data", "b.jpg")
