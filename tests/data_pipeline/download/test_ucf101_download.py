"""UCF101 from a server with the official paths: seven real clips and lists of them."""

import hashlib
import io
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.datasets.settings.videos import UCF101Data
from data_pipeline.datasets.ucf101 import build
from data_pipeline.download import ucf101
from data_pipeline.download.checksums import Checksum
from data_pipeline.download.errors import UnfinishedError, UnpackError
from data_pipeline.download.terms import Outcome, Terms
from data_pipeline.download.ucf101 import Ucf101Choice, download

RAR = "/data/UCF101/UCF101.rar"
LISTS = "/data/UCF101/UCF101TrainTestSplits-RecognitionTask.zip"
ZIP = "/thumos14_files/UCF101_videos.zip"
# Opens what stands for the RAR archive here, as bsdtar would: bsdtar -x -f ARCHIVE -C FOLDER
PROGRAM = """#!{python}
import sys, zipfile
zipfile.ZipFile(sys.argv[3]).extractall(sys.argv[5])
"""


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return stream.getvalue()


@pytest.fixture
def clips(real_data: Path) -> dict[str, bytes]:
    """Seven clips by "Class/name.avi"."""
    folder = real_data / "ucf101_mini" / "UCF-101"
    return {
        clip.relative_to(folder).as_posix(): clip.read_bytes() for clip in folder.glob("*/*.avi")
    }


@pytest.fixture
def official(
    real_data: Path, server: Any, clips: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Serve both archives, and the official lists cut down to the seven clips."""
    lists = {}
    for file in (real_data / "ucf101_mini" / "ucfTrainTestlist").iterdir():
        lines = file.read_text().splitlines()
        kept = [n for n in lines if file.name == "classInd.txt" or n.split(" ")[0] in clips]
        lists[f"ucfTrainTestlist/{file.name}"] = "\n".join(kept).encode()
    lists["__MACOSX/._ucfTrainTestlist"] = b"x"
    server.files[LISTS] = zipped(lists)
    server.files[RAR] = zipped({f"UCF-101/{name}": content for name, content in clips.items()})
    server.files[ZIP] = zipped(
        {f"UCF101/{Path(name).name}": content for name, content in clips.items()}
    )
    known = {
        path: (f"https://server{path}", 1, Checksum("sha256", hashlib.sha256(data).hexdigest()))
        for path, data in server.files.items()
    }
    monkeypatch.setattr(ucf101, "LISTS", known[LISTS])
    monkeypatch.setattr(ucf101, "CLIPS", {"rar": (*known[RAR][:2], None), "zip": known[ZIP]})
    return server


@pytest.fixture
def fetch(official: Any, terms: Terms, watcher: Any) -> Callable[..., Outcome]:
    official.asked.clear()
    return lambda archive: download(Ucf101Choice(archive), terms, watcher)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which programs are looked for."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", os.fspath(folder))
    return folder


def put_bsdtar(programs: Path) -> None:
    (programs / "bsdtar").write_text(PROGRAM.format(python=sys.executable))
    (programs / "bsdtar").chmod(0o755)


@pytest.mark.parametrize("archive", ["rar", "zip"])
def test_clips_and_lists_are_laid_out_for_the_reader(
    fetch: Callable[..., Outcome],
    terms: Terms,
    clips: dict[str, bytes],
    programs: Path,
    archive: str,
) -> None:
    put_bsdtar(programs)
    outcome = fetch(archive)
    assert outcome.manifest.counts == {"clips": 7, "missing": 0}
    for name, content in clips.items():
        assert (terms.folder / "UCF-101" / name).read_bytes() == content
    assert not list(terms.folder.glob(".download/*.zip"))
    assert not list(terms.folder.glob(".download/*.rar"))
    splits = [
        build(UCF101Data(root=terms.folder), "action_recognition", split)
        for split in ("train", "test")
    ]
    assert [len(split) for split in splits if split is not None] == [2, 5]


def test_without_a_program_the_archive_is_kept_and_not_fetched_again(
    fetch: Callable[..., Outcome], official: Any, terms: Terms, watcher: Any, programs: Path
) -> None:
    with pytest.raises(UnpackError, match="no program that opens RAR archives is here"):
        fetch("rar")
    assert (terms.folder / ".download" / "UCF101.rar").exists()
    assert any("no program here opens RAR" in line for line in watcher.said)
    put_bsdtar(programs)
    official.asked.clear()
    assert fetch("rar").manifest.counts["clips"] == 7
    assert official.bodies(RAR) == []


def test_either_archive_makes_the_same_folder(
    fetch: Callable[..., Outcome], official: Any, programs: Path
) -> None:
    put_bsdtar(programs)
    fetch("rar")
    official.asked.clear()
    assert fetch("zip").was_complete
    assert official.asked == []


def test_a_clip_in_another_case_goes_where_the_lists_say(tmp_path: Path) -> None:
    listed = tmp_path / "trainlist01.txt"
    listed.write_text("HandstandPushups/v_HandStandPushups_g08_c01.avi 37\n")
    assert ucf101.clip_places([listed]) == {
        "v_handstandpushups_g08_c01.avi": "UCF-101/HandstandPushups/v_HandStandPushups_g08_c01.avi"
    }


def test_lists_that_lead_out_of_the_folder_are_refused(
    fetch: Callable[..., Outcome], official: Any, terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = {"ucfTrainTestlist/trainlist01.txt": b"../../v_Biking_g05_c02.avi 1\n"}
    official.files[LISTS] = zipped(lists)
    monkeypatch.setattr(ucf101, "LISTS", (f"https://server{LISTS}", 1, None))
    with pytest.raises(UnpackError, match="must not lead out of its folder"):
        fetch("zip")
    assert not list(terms.folder.parent.parent.glob("*.avi"))


def test_clips_that_the_archive_lacks_are_an_error(
    fetch: Callable[..., Outcome],
    official: Any,
    clips: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, content = next(iter(clips.items()))
    official.files[ZIP] = zipped({f"UCF101/{Path(name).name}": content})
    monkeypatch.setattr(ucf101, "CLIPS", {"zip": (f"https://server{ZIP}", 1, None)})
    with pytest.raises(UnfinishedError, match="6 of 7 files are not on their server"):
        fetch("zip")
