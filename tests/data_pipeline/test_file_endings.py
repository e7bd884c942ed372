"""Whether a video ends where its content does, told from the lengths in it."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from data_pipeline.integrity.file_endings import is_cut_short

Make = Callable[[Path], Path]


def video(folder: Path, form: str) -> Path:
    file = folder / f"video.{form}"
    with av.open(str(file), "w", format=form) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv420p"
        for value in range(0, 250, 25):
            pixels = np.full((32, 32, 3), value, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return file


MADE: dict[str, Make] = {
    "avi": lambda folder: video(folder, "avi"),
    "mp4": lambda folder: video(folder, "mp4"),
    "mov": lambda folder: video(folder, "mov"),
}


@pytest.mark.parametrize("name", MADE)
def test_whole_files_are_not_cut_short(name: str, tmp_path: Path) -> None:
    assert not is_cut_short(MADE[name](tmp_path))


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_files_without_their_end_are_cut_short(name: str, share: float, tmp_path: Path) -> None:
    file = MADE[name](tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    assert is_cut_short(file)


@pytest.mark.parametrize("content", [b"", b"text", b"\xff\xd8", bytes(100)])
def test_other_files_are_taken_to_be_whole(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert not is_cut_short(file)


def test_a_box_of_no_length_ends_the_search(tmp_path: Path) -> None:
    file = tmp_path / "video.mp4"
    file.write_bytes(b"\x00\x00\x00\x10ftypisom\x00\x00\x00\x00" + bytes(64))
    assert not is_cut_short(file)
