"""Pictures written as they come: as many come back, at their times, after a kill too."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from data_pipeline.video.mp4 import FRAGMENT_FRAMES, mp4_writer
from data_pipeline.video.streaming import streamed

TICK = Fraction(1, 1000)
CHECKOUT = Path(__file__).parents[2]


def written(file: Path, size_hw: tuple[int, int], ticks: list[int]) -> None:
    with mp4_writer(file, size_hw, rate=Fraction(25), tick=TICK) as video:
        for tick in ticks:
            video.add(picture(size_hw), tick)


def picture(size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture that is dark on the left and bright on the right."""
    row = np.linspace(20, 230, size_hw[1]).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(row[np.newaxis, :, np.newaxis], (*size_hw, 3)))


@pytest.mark.parametrize("size_hw", [(48, 64), (47, 63), (48, 63), (33, 64)])
def test_pictures_come_back_and_odd_sides_get_a_line(
    tmp_path: Path, size_hw: tuple[int, int]
) -> None:
    file = tmp_path / "a.mp4"
    written(file, size_hw, list(range(0, 400, 40)))
    with streamed(file) as frames:
        pictures = [frame.pixels() for frame in frames]
    height, width = size_hw
    assert len(pictures) == 10
    assert pictures[0].shape == (height + height % 2, width + width % 2, 3)
    seen = pictures[-1][:height, :width].astype(int)
    assert np.abs(seen - picture(size_hw)).mean() < 4


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    ticks = [0, 40, 80, 300, 301, 340, 900]
    written(tmp_path / "a.mp4", (48, 64), ticks)
    with streamed(tmp_path / "a.mp4") as frames:
        assert [round(frame.time_s * 1000) for frame in frames] == ticks


def test_an_error_leaves_what_was_added(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"

    def fails_after_seven() -> None:
        with mp4_writer(file, (48, 64), rate=Fraction(25), tick=TICK) as video:
            for number in range(7):
                video.add(picture((48, 64)), number * 40)
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        fails_after_seven()
    with streamed(file) as frames:
        assert sum(1 for _ in frames) == 7


def test_a_kill_leaves_all_but_the_last_frames(tmp_path: Path) -> None:
    file, count = tmp_path / "a.mp4", 6 * FRAGMENT_FRAMES
    script = f"""
import os, signal
from fractions import Fraction
from pathlib import Path
import numpy as np
from data_pipeline.video.mp4 import mp4_writer
random = np.random.default_rng(0)
with mp4_writer(Path({str(file)!r}), (48, 64), rate=Fraction(25), tick=Fraction(1, 25)) as video:
    for number in range({count}):
        video.add(random.integers(0, 256, (48, 64, 3), np.uint8), number)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, check=False)
    assert done.returncode == -9
    with streamed(file) as frames:
        kept = sum(1 for _ in frames)
    assert count - 3 * FRAGMENT_FRAMES <= kept < count


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        written(tmp_path / "nowhere" / "a.mp4", (48, 64), [0])


def test_a_colon_in_a_relative_path_is_no_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("take:1").mkdir()
    written(Path("take:1") / "a.mp4", (48, 64), [0])
    assert (tmp_path / "take:1" / "a.mp4").stat().st_size > 0


def test_what_ffmpeg_refuses_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"a\.mp4"):  # no encoder of H.264 takes sides so long
        written(tmp_path / "a.mp4", (2, 40_000), [0])


@pytest.mark.parametrize(
    ("size_hw", "space", "luma"),
    [
        ((480, 64), Colorspace.ITU601, 16 + 0.299 * 200 * 219 / 255),
        ((720, 128), Colorspace.ITU709, 16 + 0.2126 * 200 * 219 / 255),
    ],
)
def test_the_file_says_how_its_colours_were_made(
    tmp_path: Path, size_hw: tuple[int, int], space: Colorspace, luma: float
) -> None:
    file = tmp_path / "a.mp4"
    red = np.zeros((*size_hw, 3), np.uint8)
    red[..., 0] = 200
    with mp4_writer(file, size_hw, rate=Fraction(25), tick=TICK) as video:
        video.add(red, 0)
    with av.open(str(file)) as container:
        [frame] = container.decode(video=0)
    assert (frame.colorspace, frame.color_range) == (space, ColorRange.MPEG)
    assert np.asarray(frame.planes[0])[0] == pytest.approx(luma, abs=2)
    with streamed(file) as frames:
        [seen] = frames
    assert np.abs(seen.pixels()[10, 10].astype(int) - (200, 0, 0)).max() < 6
