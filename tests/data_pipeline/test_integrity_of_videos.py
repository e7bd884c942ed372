"""Faults of videos and of lists: each planted once in a small UCF101, and found alone."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from data_pipeline.datasets.settings.boxes import OpenImagesData
from data_pipeline.datasets.settings.videos import UCF101Data
from data_pipeline.integrity.checking import check_dataset, given_splits, sound
from data_pipeline.settings import DataSettings
from data_pipeline.video.writing import write_video

SIZE_HW = (48, 64)
FRAMES = 24
TASK = "action_recognition"
FIRST = "v_Punch_g01_c01"
Plant = Callable[[Path], None]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "runs"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three clips of one action, two of them for training, with nothing wrong."""
    folder = tmp_path / "ucf101"
    lists, clips = folder / "ucfTrainTestlist", folder / "UCF-101" / "Punch"
    lists.mkdir(parents=True)
    clips.mkdir(parents=True)
    (lists / "classInd.txt").write_text("1 Punch\n")
    names = [f"Punch/v_Punch_g0{group}_c01.avi" for group in (1, 2, 3)]
    (lists / "trainlist01.txt").write_text(f"{names[0]} 1\n{names[1]} 1\n")
    (lists / "testlist01.txt").write_text(f"{names[2]}\n")
    for seed, name in enumerate(names):
        random = np.random.default_rng(seed)
        frames = random.integers(0, 256, (FRAMES, *SIZE_HW, 3)).astype(np.uint8)
        write_video(folder / "UCF-101" / name, frames, size_hw=SIZE_HW, rate=25)
    return folder


def clip(root: Path) -> Path:
    return root / "UCF-101" / "Punch" / f"{FIRST}.avi"


def found(settings: DataSettings, task: str = TASK) -> list[tuple[str, str, str, int]]:
    faults = check_dataset(settings, task).faults
    return [(f.kind, Path(f.where).stem, f.leaves_out, f.count) for f in faults]


def overwrite(root: Path) -> None:
    clip(root).write_bytes(b"RIFF\x04\x00\x00\x00 no video")


def damage(root: Path) -> None:
    """Overwrite the packets of two frames that are no keyframes."""
    file = clip(root)
    content = bytearray(file.read_bytes())
    with av.open(str(file)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.pos is not None]
    for position, size in places[3:5]:
        start = position + 8  # after the chunk's name and length
        content[start : start + size] = b"\xff" * size
    file.write_bytes(content)


def cut_in_the_middle(root: Path) -> None:
    content = clip(root).read_bytes()
    clip(root).write_bytes(content[: len(content) // 2])


def write_foreign_title(root: Path) -> None:
    """Give the clip a title in Latin-1, as old tools did."""
    with av.open(str(clip(root))) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(clip(root)), "w", format="avi") as container:
        container.metadata["title"] = "Zuerich"
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = (*SIZE_HW, "yuv420p")
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    content = clip(root).read_bytes()
    assert content.count(b"Zuerich") == 1
    clip(root).write_bytes(content.replace(b"Zuerich", b"Z\xfcrich "))


def test_sound_videos_have_no_faults(root: Path) -> None:
    findings = check_dataset(UCF101Data(root=root), TASK)
    assert findings.faults == ()
    assert {size for split in findings.splits for size in split.sizes_hw} == {SIZE_HW}
    assert {count for split in findings.splits for count in split.frames} == {FRAMES}


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (overwrite, ("undecodable", FIRST, "sample", 1)),
        (write_foreign_title, ("metadata_encoding", FIRST, "nothing", 1)),
    ],
)
def test_a_planted_fault_is_found_and_no_other(
    root: Path, plant: Plant, expected: tuple[str, str, str, int]
) -> None:
    plant(root)
    assert found(UCF101Data(root=root)) == [expected]


def test_damaged_frames_are_counted_and_the_video_is_used(root: Path) -> None:
    damage(root)
    [(kind, where, loss, count)] = found(UCF101Data(root=root))
    assert (kind, where, loss) == ("corrupt_frames", FIRST, "nothing")
    assert 2 <= count < FRAMES  # those overwritten, and what was decoded from them


def test_a_video_that_is_cut_off_is_used_as_far_as_it_goes(root: Path) -> None:
    cut_in_the_middle(root)
    kinds = {(kind, loss) for kind, _, loss, _ in found(UCF101Data(root=root))}
    assert ("truncated", "nothing") in kinds
    assert kinds <= {("truncated", "nothing"), ("corrupt_frames", "nothing")}  # its last frame


def test_a_listed_clip_that_is_not_there_is_counted(root: Path) -> None:
    clip(root).unlink()
    [(kind, _, loss, count)] = found(UCF101Data(root=root))
    assert (kind, loss, count) == ("absent", "sample", 1)


def test_a_video_that_cannot_be_decoded_is_left_out(root: Path) -> None:
    overwrite(root)
    settings = UCF101Data(root=root)
    train = given_splits(settings, TASK)["train"]
    kept = sound(train, settings, TASK).image_ids
    assert len(train) == 2
    assert [FIRST in image_id for image_id in kept] == [False]


def write_open_images(folder: Path, rows: list[str]) -> OpenImagesData:
    """One training and one validation picture, and these further lines of boxes in training."""
    header = (
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,"
        "IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
    )
    folder.mkdir()
    (folder / "class-descriptions-boxable.csv").write_text("/m/car,Car\n")
    for split, further in {"train": rows, "validation": []}.items():
        (folder / split).mkdir()
        pixels = np.random.default_rng(1).integers(0, 256, (*SIZE_HW, 3)).astype(np.uint8)
        image_id = f"{split[0]}1"
        _write_jpeg(folder / split / f"{image_id}.jpg", pixels)
        lines = [header, f"{image_id},xclick,/m/car,1,0.1,0.5,0.1,0.5,0,0,0,0,0", *further]
        (folder / f"{split}-annotations-bbox.csv").write_text("\n".join(lines) + "\n")
    return OpenImagesData(root=folder)


def _write_jpeg(file: Path, pixels: NDArray[np.uint8]) -> None:
    with av.open(str(file), "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.height, stream.width, stream.pix_fmt = (*SIZE_HW, "yuvj420p")
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


def test_a_label_that_is_no_class_is_found(tmp_path: Path) -> None:
    row = "t1,xclick,/m/cart,1,0.1,0.5,0.1,0.5,0,0,0,0,0"
    settings = write_open_images(tmp_path / "oi", [row])
    [(kind, _, loss, count)] = found(settings, "object_detection")
    assert (kind, loss, count) == ("unknown_label", "box", 1)


def test_a_line_that_cannot_be_read_is_found(tmp_path: Path) -> None:
    settings = write_open_images(
        tmp_path / "oi", ["t1,xclick,/m/car,1,0.1,zero,0.1,0.5,0,0,0,0,0"]
    )
    [(kind, _, loss, count)] = found(settings, "object_detection")
    assert (kind, loss, count) == ("malformed", "box", 1)
