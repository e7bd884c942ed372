"""A video gone through once: the frames of `read_frames`, in constant memory, damaged or not."""

import tracemalloc
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.video.reading import frame_count, probe, read_frames
from data_pipeline.video.streaming import StreamedFrame, streamed
from data_pipeline.video.writing import write_video

XVID = "ucf101_mini/UCF-101/Punch/v_Punch_g03_c01.avi"  # a keyframe every 12 frames
B_FRAMES = "ucf101_mini/UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi"  # in AVI: no times
H264 = "kinetics_mini/SOX5yA1l24A.mp4"
SIDE = 32


def small(folder: Path, count: int) -> Path:
    """Write a video of frames that get brighter."""
    file = folder / f"{count}.avi"
    frames = (np.full((48, 64, 3), number % 200, np.uint8) for number in range(count))
    write_video(file, frames, size_hw=(48, 64), rate=25)
    return file


def scaled(file: Path, first: int | None = None) -> NDArray[np.uint8]:
    with streamed(file) as frames:
        pictures = []
        for frame in frames:
            pictures.append(frame.scaled(SIDE))
            if frame.number + 1 == first:
                break
    return np.stack(pictures)


@pytest.mark.parametrize("name", [XVID, B_FRAMES, H264])
def test_frames_are_those_that_clips_are_made_of(real_data: Path, name: str) -> None:
    file = real_data / name
    expected = read_frames(file, np.arange(40), SIDE)
    assert np.array_equal(scaled(file, 40), expected)


@pytest.mark.parametrize("name", [XVID, B_FRAMES, H264])
def test_every_frame_comes_once_and_later_than_the_one_before(real_data: Path, name: str) -> None:
    file = real_data / name
    with streamed(file) as frames:
        seen = [(frame.number, frame.time_s) for frame in frames]
        facts, note = frames.facts, frames.note
    numbers, times = zip(*seen, strict=True)
    assert numbers == tuple(range(frame_count(file)))
    assert times[0] == 0
    assert (np.diff(times) > 0).all()
    assert facts.announced == len(numbers)
    assert facts.size_hw == probe(file).size_hw
    assert times[30] == pytest.approx(30 / float(facts.rate), rel=1e-3)
    assert note is None


def test_a_video_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    file = tmp_path / "side.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("h264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        pixels = np.zeros((48, 64, 3), np.uint8)
        pixels[:24] = 255  # the upper half as stored
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = file.read_bytes()
    matrix = content.index(b"tkhd") + 4 + 40  # ISO 14496-12, 8.3.2: a track's 9 numbers
    turned = [0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30]  # clockwise by a quarter
    numbers = b"".join(number.to_bytes(4, "big", signed=True) for number in turned)
    file.write_bytes(content[:matrix] + numbers + content[matrix + 36 :])

    with streamed(file) as frames:
        [shown] = frames
        assert frames.facts.size_hw == (64, 48)
    picture = shown.pixels()
    assert picture.shape == (64, 48, 3)
    assert picture[:, 40:].mean() > 200
    assert picture[:, :8].mean() < 50


def test_what_a_cut_off_file_holds_is_kept_and_said(real_data: Path, tmp_path: Path) -> None:
    whole = real_data / XVID
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    with streamed(cut) as frames:
        count = sum(1 for _ in frames)
        note = frames.note
    assert frame_count(whole) // 2 < count < frame_count(whole)
    assert note is not None
    assert "the file ends too early; what was decoded before is kept" in note
    assert np.array_equal(scaled(cut)[:40], scaled(whole, 40))


def test_damage_in_the_middle_is_bridged_and_said(real_data: Path, tmp_path: Path) -> None:
    whole = real_data / XVID
    content = bytearray(whole.read_bytes())
    content[150_000:154_000] = np.random.default_rng(1).bytes(4000)
    file = tmp_path / "damaged.avi"
    file.write_bytes(content)
    with streamed(file) as frames:
        times = [frame.time_s for frame in frames]
        note = frames.note
    assert note is not None
    assert "damaged; the last good one stands in" in note
    assert times[-1] == pytest.approx((frame_count(whole) - 1) / 25, abs=0.1)
    assert np.array_equal(scaled(file, 20), scaled(whole, 20))


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [(None, MissingDataError, "cannot read video"), (b"no video", InvalidDataError, "no video")],
)
def test_what_is_no_video_is_said(
    tmp_path: Path, content: bytes | None, error: type[Exception], words: str
) -> None:
    file = tmp_path / "a.avi"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(error, match=words), streamed(file):
        pass


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        with streamed(small(tmp_path, count)) as frames:
            tracemalloc.start()
            assert sum(int(frame.pixels().shape == (48, 64, 3)) for frame in frames) == count
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return most

    peak(30)  # what is loaded once
    assert peak(600) < peak(60) + 20_000  # bytes; a frame has 9,216


def test_times_are_those_of_the_container(tmp_path: Path) -> None:
    file = tmp_path / "uneven.mp4"
    ticks = [0, 3, 4, 10, 11, 30]
    with av.open(str(file), "w") as container:
        stream = container.add_stream("h264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100)
        for tick in ticks:
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with streamed(file) as frames:
        assert [round(frame.time_s * 100) for frame in frames] == ticks


def encoded(
    file: Path, codec: Literal["mjpeg", "mpeg4"], times: list[int], b_frames: int = 0
) -> Path:
    """Write frames that get brighter, by 10 shades each, at times in 25ths of a second."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.codec_context.max_b_frames = b_frames
        stream.bit_rate = 4_000_000
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number, time in enumerate(times):
            pixels = np.full((48, 64, 3), shade(number), np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file


def shade(number: int) -> int:
    return 20 + number * 10


def without_packet(file: Path, number: int) -> Path:
    """Fill a packet of an AVI file with zeros."""
    with av.open(str(file)) as container:
        packet = [each for each in container.demux(video=0) if each.size][number]
        place, size = packet.pos, packet.size
    assert place is not None
    content = bytearray(file.read_bytes())
    content[place + 8 : place + size] = bytes(size - 8)
    file.write_bytes(content)
    return file


def shown(file: Path) -> tuple[list[int], list[int], str | None]:
    """Return each frame's number, by its shade, and time in 25ths of a second, and the note."""

    def number(frame: StreamedFrame) -> int:
        return round((float(frame.pixels().mean()) - shade(0)) / 10)

    with streamed(file) as frames:
        seen = [(number(frame), round(frame.time_s * 25)) for frame in frames]
        note = frames.note
    numbers, times = zip(*seen, strict=True)
    return list(numbers), list(times), note


@pytest.mark.parametrize(
    ("damaged", "expected"), [(5, [0, 1, 2, 3, 4, 4, 6, 7, 8]), (0, [1, 1, 2, 3, 4, 5, 6, 7, 8])]
)
def test_a_frame_stands_in_for_a_packet_that_does_not_decode(
    tmp_path: Path, damaged: int, expected: list[int]
) -> None:
    file = without_packet(encoded(tmp_path / "a.avi", "mjpeg", list(range(9))), damaged)
    assert frame_count(file) == 9
    note = "1 frame is damaged; the last good one stands in"
    assert shown(file) == (expected, list(range(9)), note)


def test_avi_with_b_frames_keeps_the_time_of_frames_that_were_skipped(tmp_path: Path) -> None:
    times = [*range(8), *range(20, 28)]
    file = encoded(tmp_path / "a.avi", "mpeg4", times, b_frames=2)
    assert shown(file) == (list(range(16)), times, None)


def stamped(file: Path, stamps: list[int]) -> Path:
    """Write frames one packet each, of which the container says `stamps`, in milliseconds."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number, stamp in enumerate(stamps):
            pixels = np.full((48, 64, 3), shade(number), np.uint8)
            [packet] = stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24"))
            packet.time_base = Fraction(1, 1000)
            packet.pts, packet.dts = stamp, number * 40 if stamp > 10**6 else stamp
            container.mux(packet)
    return file


@pytest.mark.parametrize("late", [0, 1, 4])
def test_a_lone_stamp_that_is_too_late_shifts_nothing_and_is_said(
    tmp_path: Path, late: int
) -> None:
    stamps = [number * 40 for number in range(8)]
    stamps[late] += 3_600_000
    numbers, times, note = shown(stamped(tmp_path / "a.mkv", stamps))
    assert (numbers, times) == (list(range(8)), list(range(8)))
    assert note == "1 time stamp is wrong; such a frame comes a step after the one before"
