"""The pictures of a video, wherever they are."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from studies.tracking.frames import each_picture
from studies.tracking.mot_text import UnusableTracksError


def pictures() -> list[NDArray[np.uint8]]:
    return [np.full((16, 32, 3), (40 * number, 10, 200), np.uint8) for number in range(4)]


def test_pictures_of_a_folder_come_by_name_as_rgb(tmp_path: Path) -> None:
    for number in (2, 0, 3, 1):
        cv2.imwrite(str(tmp_path / f"{number:06d}.png"), pictures()[number][..., ::-1])
    (tmp_path / "notes.txt").write_text("")
    with each_picture(tmp_path) as found:
        assert np.array_equal(np.stack(list(found)), np.stack(pictures()))


@pytest.mark.parametrize("name", ["{}.png", "cam2-{}-left.png", "part1/{}.png"])
def test_pictures_come_by_the_numbers_in_their_names(tmp_path: Path, name: str) -> None:
    (tmp_path / "part1").mkdir()
    for place, number in enumerate((1, 2, 10, 100)):
        cv2.imwrite(str(tmp_path / name.format(number)), pictures()[place][..., ::-1])
    with each_picture(tmp_path) as found:
        assert np.array_equal(np.stack(list(found)), np.stack(pictures()))


def test_pictures_of_a_video_come_in_order_as_rgb(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "video.avi"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "bgr0"
        for picture in pictures():
            container.mux(stream.encode(VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    with each_picture(tmp_path / "video.avi") as found:
        np.testing.assert_allclose(np.stack(list(found)), np.stack(pictures()), atol=2)


def test_what_holds_no_picture_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(UnusableTracksError, match="must hold the pictures of a video, got none"),
        each_picture(tmp_path) as found,
    ):
        next(found)
    with (
        pytest.raises(UnusableTracksError, match=r"nowhere\.mp4"),
        each_picture(tmp_path / "nowhere.mp4") as found,
    ):
        next(found)


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "000001.png").write_bytes(b"no picture")
    with (
        pytest.raises(UnusableTracksError, match=r"000001\.png"),
        each_picture(tmp_path) as found,
    ):
        next(found)
