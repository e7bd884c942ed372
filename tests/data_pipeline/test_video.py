"""Frames of real videos: as OpenCV decodes them, from anywhere, damaged or not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray

from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.video import decoding
from data_pipeline.video.reading import (
    damaged_frames,
    frame_count,
    probe,
    read_frames,
    scaled_size,
    video_faults,
)
from data_pipeline.video.video_file import FrameIndex, frame_index, opened, packets_of
from data_pipeline.video.writing import write_video

XVID = "ucf101_mini/UCF-101/Punch/v_Punch_g03_c01.avi"  # a keyframe every 12 frames
B_FRAMES = "ucf101_mini/UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi"  # one keyframe
PACKED = "hmdb51_mini/videos/cartwheel/Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi"
H264 = "kinetics_mini/SOX5yA1l24A.mp4"  # four keyframes, B-frames, a gap in time at the end
SIDE = 32


def every(file: Path, side: int = SIDE) -> NDArray[np.uint8]:
    return read_frames(file, np.arange(frame_count(file)), side)


def shown_by_opencv(file: Path) -> list[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(file))
    frames: list[NDArray[np.uint8]] = []
    while True:
        is_read, pixels = capture.read()
        if not is_read:
            return frames
        frames.append(np.asarray(pixels[..., ::-1], dtype=np.uint8))


def damaged(file: Path, folder: Path, *, at: int, count: int = 900) -> Path:
    """Copy a file with some bytes overwritten."""
    content = bytearray(file.read_bytes())
    content[at : at + count] = np.random.default_rng(1).bytes(count)
    copy = folder / f"damaged{file.suffix}"
    copy.write_bytes(content)
    return copy


def position_of(file: Path, number: int) -> int:
    """Return the byte of the file where a packet begins."""
    with opened(file) as (container, stream):
        return [packet.pos or 0 for packet in packets_of(container, stream)][number]


@pytest.mark.parametrize(
    ("folder", "counts"),
    [
        ("ucf101_mini", [107, 108, 141, 164, 201, 240, 251]),
        ("hmdb51_mini", [48, 72, 74, 83]),
        ("kinetics_mini", [250, 303, 327, 332]),
    ],
)
def test_real_videos_have_the_frames_that_can_be_decoded(
    real_data: Path, folder: str, counts: list[int]
) -> None:
    files = [f for f in (real_data / folder).rglob("*") if f.suffix in (".avi", ".mp4")]
    assert sorted(frame_count(file) for file in files) == counts


@pytest.mark.parametrize("name", [XVID, B_FRAMES, PACKED, H264])
def test_unscaled_frames_are_those_of_opencv_to_the_bit(real_data: Path, name: str) -> None:
    expected = shown_by_opencv(real_data / name)
    side = min(expected[0].shape[:2])
    assert np.array_equal(every(real_data / name, side), np.stack(expected))


@pytest.mark.parametrize("name", [XVID, H264])
def test_every_frame_is_the_same_from_anywhere(real_data: Path, name: str) -> None:
    file = real_data / name
    whole = every(file)
    for place in range(len(whole)):
        [alone] = read_frames(file, np.array([place]), SIDE)
        assert np.array_equal(alone, whole[place]), place


@pytest.mark.parametrize("name", [XVID, B_FRAMES, PACKED, H264])
def test_frames_far_apart_repeated_and_out_of_order(real_data: Path, name: str) -> None:
    file = real_data / name
    whole, random = every(file), np.random.default_rng(0)
    for count in (1, 3, 9):
        places = random.integers(0, len(whole), count)
        assert np.array_equal(read_frames(file, places, SIDE), whole[places])
    looped = np.arange(len(whole) - 4, len(whole) + 4) % len(whole)
    assert np.array_equal(read_frames(file, looped, SIDE), whole[looped])


def test_only_the_groups_of_the_wanted_frames_are_decoded(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, place_of = [], decoding.place_of

    def counted(frame: av.VideoFrame | None, index: FrameIndex) -> int:
        decoded.append(place_of(frame, index))
        return decoded[-1]

    monkeypatch.setattr(decoding, "place_of", counted)
    read_frames(real_data / XVID, np.array([14, 62]), SIDE)
    assert decoded[0] == 12
    assert 62 in decoded
    assert not set(decoded) & set(range(16, 60))


def test_probe_says_what_a_video_is(real_data: Path) -> None:
    facts = probe(real_data / H264)
    assert (facts.frames, facts.size_hw, facts.codec) == (332, (256, 340), "h264")
    assert facts.frames_per_second == pytest.approx(30_000 / 1001)
    assert facts.duration_s == pytest.approx(11.08, abs=0.01)


def test_metadata_that_is_not_utf_8_is_ignored(real_data: Path) -> None:
    with pytest.raises(UnicodeDecodeError), av.open(str(real_data / PACKED)):
        pass
    assert probe(real_data / PACKED).size_hw == (240, 320)


@pytest.mark.parametrize("name", [XVID, B_FRAMES, PACKED, H264])
def test_whole_videos_have_no_faults(real_data: Path, name: str) -> None:
    assert video_faults(real_data / name) == ()


@pytest.mark.parametrize(
    ("size_hw", "side", "expected"),
    [
        ((240, 320), 128, (128, 171)),
        ((320, 240), 128, (171, 128)),
        ((240, 320), 240, (240, 320)),
        ((60, 64), 120, (120, 128)),
        ((100, 100), 1, (1, 1)),
    ],
)
def test_the_shorter_side_is_scaled_to(
    size_hw: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    assert scaled_size(size_hw, side) == expected


def test_scaled_frames_are_close_to_opencvs(real_data: Path) -> None:
    expected = cv2.resize(
        shown_by_opencv(real_data / XVID)[50], (171, 128), interpolation=cv2.INTER_AREA
    )
    [frame] = read_frames(real_data / XVID, np.array([50]), 128)
    assert np.abs(frame.astype(int) - expected).mean() < 2


@pytest.mark.parametrize(
    ("name", "place"),
    [
        (XVID, 80_000),
        (XVID, 220_000),
        (B_FRAMES, 80_000),
        (B_FRAMES, 220_000),
        (PACKED, 80_000),
        (H264, 80_000),
        (H264, 150_000),
    ],
)
def test_damaged_frames_are_reported_and_others_stand_in(
    real_data: Path, tmp_path: Path, name: str, place: int
) -> None:
    file = damaged(real_data / name, tmp_path, at=place)
    bad = damaged_frames(file)
    [fault] = video_faults(file, "clip")
    assert (fault.kind, fault.where, fault.leaves_out) == ("corrupt_frames", "clip", "nothing")
    assert fault.count >= len(bad)
    whole = every(file)
    assert len(whole) == frame_count(file)
    for frame in bad:
        before = [place for place in range(frame) if place not in bad]
        assert np.array_equal(whole[frame], whole[before[-1]])


def flipped(file: Path, folder: Path, *, seed: int) -> Path:
    """Copy a file with some bits of it turned over, but for its first bytes."""
    random, content = np.random.default_rng(seed), bytearray(file.read_bytes())
    for _ in range(random.integers(1, 12)):
        content[random.integers(len(content) // 50, len(content))] ^= 1 << random.integers(8)
    copy = folder / f"flipped{file.suffix}"
    copy.write_bytes(content)
    return copy


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("xvid.avi", "mpeg4", {"g": "8"}),
        ("b_frames.mp4", "mpeg4", {"g": "8", "bf": "2"}),
        ("h264.mp4", "libx264", {"g": "10"}),
        ("h264.mkv", "libx264", {"g": "10"}),
        ("refreshed.mkv", "libx264", {"x264-params": "keyint=10:intra-refresh=1"}),
        ("mpeg2.mpg", "mpeg2video", {"g": "10", "bf": "2"}),
        ("vp8.webm", "libvpx", {"g": "10"}),
    ],
)
def test_frames_are_the_same_from_anywhere_whatever_is_damaged(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    whole_file, random = tmp_path / name, np.random.default_rng(0)
    slope = np.tile(np.arange(0, 192, 3, dtype=np.uint8)[None, :, None], (48, 1, 3))
    with av.open(str(whole_file), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for place in range(30):
            noise = random.integers(0, 40, slope.shape, dtype=np.uint8)
            picture = np.roll(slope, place * 3, axis=1) + noise
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    assert video_faults(whole_file) == ()
    for file in (whole_file, *(flipped(whole_file, tmp_path, seed=seed) for seed in range(6))):
        try:
            whole = every(file)
        except InvalidDataError:
            continue
        for place in range(len(whole)):
            [alone] = read_frames(file, np.array([place]), SIDE)
            assert np.array_equal(alone, whole[place]), place


@pytest.mark.parametrize("name", [XVID, H264])
def test_damaged_videos_too_are_the_same_from_anywhere(
    real_data: Path, tmp_path: Path, name: str
) -> None:
    file = damaged(real_data / name, tmp_path, at=150_000, count=4000)
    whole = every(file)
    for place in range(0, len(whole), 7):
        [alone] = read_frames(file, np.array([place]), SIDE)
        assert np.array_equal(alone, whole[place]), place


def test_a_damaged_keyframe_spoils_its_group_and_no_other(real_data: Path, tmp_path: Path) -> None:
    index = frame_index(real_data / XVID)
    assert index.keyframes[2] == 24
    file = damaged(
        real_data / XVID, tmp_path, at=position_of(real_data / XVID, int(index.spans[3, 0])) + 30
    )
    assert damaged_frames(file) == tuple(range(24, 36))
    whole = every(file)
    assert all(np.array_equal(whole[place], whole[23]) for place in range(24, 36))
    assert np.array_equal(whole[36:], every(real_data / XVID)[36:])


def test_before_the_first_good_frame_it_stands_in_itself(real_data: Path, tmp_path: Path) -> None:
    file = damaged(real_data / XVID, tmp_path, at=position_of(real_data / XVID, 0) + 30)
    assert damaged_frames(file)[0] == 0
    first_good = len(damaged_frames(file))
    [start] = read_frames(file, np.array([0]), SIDE)
    assert np.array_equal(start, every(real_data / XVID)[first_good])


def test_what_a_truncated_file_holds_is_used(real_data: Path, tmp_path: Path) -> None:
    content = (real_data / XVID).read_bytes()
    file = tmp_path / "half.avi"
    file.write_bytes(content[: len(content) // 2])
    count = frame_count(file)
    assert 40 < count < 60
    assert np.array_equal(every(file)[: count - 1], every(real_data / XVID)[: count - 1])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda _: b"", "Invalid data"),
        (lambda _: b"no video at all", "Invalid data"),
        (lambda real: (real / H264).read_bytes()[:100_000], "Invalid data"),
        (lambda real: (real / XVID).read_bytes()[:4000], "Invalid data"),
        (lambda _: b"ffconcat version 1.0\nfile other.avi\n", "Invalid argument"),
    ],
)
def test_what_is_no_video_is_named(
    real_data: Path, tmp_path: Path, content: Callable[[Path], bytes], reason: str
) -> None:
    (tmp_path / "other.avi").write_bytes((real_data / XVID).read_bytes())
    file = tmp_path / "clip.avi"
    file.write_bytes(content(real_data))
    with pytest.raises(InvalidDataError, match=rf"cannot decode video .*clip\.avi .*{reason}"):
        frame_count(file)
    [fault] = video_faults(file)
    assert (fault.kind, fault.where, fault.leaves_out) == ("undecodable", "clip.avi", "sample")


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    file = tmp_path / "sound.avi"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 8000), np.int16), format="s16", layout="mono"
        )
        silence.rate = 8000
        container.mux(stream.encode(silence))
    with pytest.raises(InvalidDataError, match="it has no stream of pictures"):
        frame_count(file)


def test_absent_video_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"cannot read video .*gone\.avi: No such file"):
        read_frames(tmp_path / "gone.avi", np.array([0]), SIDE)


def test_frames_that_are_not_there_are_refused(real_data: Path) -> None:
    with pytest.raises(InvalidDataError, match="from 0 to 107, got 0 to 108"):
        read_frames(real_data / XVID, np.array([0, 108]), SIDE)
    with pytest.raises(InvalidDataError, match="got none"):
        read_frames(real_data / XVID, np.array([], dtype=np.int64), SIDE)


def test_huge_frames_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    file = tmp_path / "huge.avi"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuvj420p"
        grey = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
        container.mux(stream.encode(grey))
        container.mux(stream.encode(None))
    content = bytearray(file.read_bytes())
    header = content.index(b"\xff\xc0\x00\x11") + 5  # height and width of a JPEG frame
    content[header : header + 4] = b"\xf0\x00\xf0\x00"
    file.write_bytes(content)
    with pytest.raises(InvalidDataError, match=r"frames of video .*huge\.avi"):
        read_frames(file, np.array([0]), SIDE)


def test_a_video_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    file, picture = tmp_path / "phone.mp4", np.zeros((48, 64, 3), np.uint8)
    picture[:, :16] = (250, 40, 40)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, options={"qscale": "2"})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    content = bytearray(file.read_bytes())
    matrix = content.index(b"tkhd") + 44  # ISO 14496-12, 8.3.2
    clockwise = np.array([0, 1, 0, -1, 0, 0, 0, 0, 0x4000], dtype=">i4") * 0x10000
    content[matrix : matrix + 36] = clockwise.astype(">i4").tobytes()
    file.write_bytes(content)
    frames = read_frames(file, np.array([0]), 48)
    assert frames.shape == (1, 64, 48, 3)
    assert probe(file).size_hw == (64, 48)
    assert np.array_equal(frames[0], shown_by_opencv(file)[0])


PEAK = """
import re, sys
import numpy as np
from pathlib import Path
from data_pipeline.video.reading import read_frames

def peak_kb():  # not getrusage: its peak holds that of the parent before exec
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

file = Path(sys.argv[1])
read_frames(file, np.array([0]), 32)
before = peak_kb()
read_frames(file, np.array([0, 149, 299]), 32)
print(peak_kb() - before)
"""


def test_no_more_than_the_wanted_frames_is_held(tmp_path: Path) -> None:
    file = tmp_path / "long.avi"
    slope = np.tile(np.linspace(0, 255, 640, dtype=np.uint8)[None, :, None], (480, 1, 3))
    frames = (np.roll(slope, place, axis=1) for place in range(300))
    write_video(file, frames, size_hw=(480, 640), rate=25)
    peak = subprocess.run(
        [sys.executable, "-c", PEAK, str(file)],
        check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert int(peak.stdout) < 40_000  # kB; the frames decoded on the way take 138,000


def test_the_same_frames_are_written_as_the_same_bytes(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (20, 32, 48, 3), dtype=np.uint8)
    for name in ("one.avi", "other.avi"):
        write_video(tmp_path / name, pictures, size_hw=(32, 48), rate=12)
    assert (tmp_path / "one.avi").read_bytes() == (tmp_path / "other.avi").read_bytes()
    assert probe(tmp_path / "one.avi").frames_per_second == 12
    assert every(tmp_path / "one.avi", 32).shape == pictures.shape
