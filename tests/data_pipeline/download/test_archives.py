"""Archives are unpacked inside their folder, or not at all."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from data_pipeline.download.archives import open_member, unpack
from data_pipeline.download.errors import NoSpaceError, UnpackError
from data_pipeline.download.rar import unpack_rar

Make = Callable[[dict[str, bytes]], Path]


def make_zip(file: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return file


def make_tar(file: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(file, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file


@pytest.fixture(params=[make_zip, make_tar])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    return lambda members: request.param(tmp_path / "archive", members)


def test_files_are_unpacked_under_the_names_they_are_given(make: Make, tmp_path: Path) -> None:
    archive = make({"a/1.txt": b"one", "a/2.txt": b"two", "b/3.txt": b"three"})
    files = unpack(
        archive, tmp_path / "out", lambda n: n.replace("a/", "c/") if n.startswith("a/") else None
    )
    assert [file.relative_to(tmp_path / "out").as_posix() for file in files] == [
        "c/1.txt",
        "c/2.txt",
    ]
    assert [file.read_bytes() for file in files] == [b"one", b"two"]
    assert not (tmp_path / "out" / "b").exists()


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/out.txt", "a/../../out.txt", "..\\out.txt"])
def test_a_name_that_leads_out_refuses_the_whole_archive(
    make: Make, tmp_path: Path, name: str
) -> None:
    archive = make({"good.txt": b"1", name: b"2"})
    with pytest.raises(UnpackError, match=r"is not unpacked: its member .*out\.txt"):
        unpack(archive, tmp_path / "in" / "out", lambda name: name)
    assert sorted(place.name for place in tmp_path.iterdir()) == ["archive"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_links_and_devices_refuse_the_whole_archive(tmp_path: Path, kind: bytes) -> None:
    archive = make_tar(tmp_path / "a.tar", {"good.txt": b"1"})
    with tarfile.open(archive, "a") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = kind, "/etc"
        tar.addfile(link)
    with pytest.raises(UnpackError, match="'link' must be a plain file"):
        unpack(archive, tmp_path / "out", lambda name: name)
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_zip_refuses_the_whole_archive(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "/etc")
    with pytest.raises(UnpackError, match="'link' must be a plain file"):
        unpack(archive, tmp_path / "out", lambda name: name)


def test_a_link_that_is_already_in_the_folder_is_not_followed(make: Make, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path)
    with pytest.raises(UnpackError, match="by a link"):
        unpack(make({"a/1.txt": b"1"}), tmp_path / "out", lambda name: name)
    assert not (tmp_path / "1.txt").exists()


def test_a_truncated_archive_is_named(make: Make, tmp_path: Path) -> None:
    archive = make({f"{number}.txt": os.urandom(2000) for number in range(20)})
    archive.write_bytes(archive.read_bytes()[:15_000])
    with pytest.raises(UnpackError, match="archive is damaged or no archive"):
        unpack(archive, tmp_path / "out", lambda name: name)


def test_a_flipped_byte_in_a_zip_is_noticed(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.txt": os.urandom(5000)})
    content = bytearray(archive.read_bytes())
    content[2000] ^= 255
    archive.write_bytes(bytes(content))
    with pytest.raises(UnpackError, match="damaged"):
        unpack(archive, tmp_path / "out", lambda name: name)


def test_what_does_not_fit_is_not_begun(tmp_path: Path, small_disk: Callable[[int], Path]) -> None:
    folder = small_disk(64)
    archive = make_zip(tmp_path / "bomb.zip", {"zeros": bytes(10_000_000)})
    assert archive.stat().st_size < 20_000
    with pytest.raises(NoSpaceError, match=r"needs 10\.0 MB more"):
        unpack(archive, folder, lambda name: name)
    assert list(folder.iterdir()) == []


def test_a_member_that_is_not_there_is_named(make: Make) -> None:
    with (
        pytest.raises(UnpackError, match=r"must hold b\.txt"),
        open_member(make({"a.txt": b"1"}), "b.txt"),
    ):
        pass


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which programs are looked for."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put_program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_without_a_program_for_rar_the_archive_is_kept_and_the_way_on_is_named(
    tmp_path: Path, programs: Path
) -> None:
    assert list(programs.iterdir()) == []
    (tmp_path / "a.rar").write_bytes(b"Rar!")
    with pytest.raises(UnpackError, match=r"has arrived.*install unrar.*same command again"):
        unpack_rar(tmp_path / "a.rar", tmp_path / "out")
    assert (tmp_path / "a.rar").exists()


def test_a_program_that_fails_leaves_the_turn_to_the_next(tmp_path: Path, programs: Path) -> None:
    put_program(programs, "unrar", 'echo half > "$5/half"; exit 3')
    put_program(programs, "bsdtar", 'echo "$@" > "$5/said"')
    unpack_rar(tmp_path / "a.rar", tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["said"]
    assert (tmp_path / "out" / "said").read_text().split() == [
        "-x", "-f", str(tmp_path / "a.rar"), "-C", str(tmp_path / "out"),
    ]  # fmt: skip


def test_what_every_program_said_is_told(tmp_path: Path, programs: Path) -> None:
    put_program(programs, "unrar", "echo 'not RAR archive' >&2; exit 10")
    put_program(programs, "7z", "exit 2")
    with pytest.raises(UnpackError, match=r"unrar: not RAR archive; 7z: status 2"):
        unpack_rar(tmp_path / "a.rar", tmp_path / "out")
