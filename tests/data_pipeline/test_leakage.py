"""Leaks between splits: planted copies are found, and real sets of pictures raise no alarm."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from data_pipeline.datasets import camvid, coco, image_folder
from data_pipeline.datasets.dataset import Dataset, Listed
from data_pipeline.datasets.image_folder import ClassifiedPicture
from data_pipeline.datasets.listed_videos import VideoClip
from data_pipeline.datasets.packed import PackedPicture
from data_pipeline.datasets.settings.boxes import CocoData
from data_pipeline.datasets.settings.pictures import CamVidData, ImageFolderData
from data_pipeline.leakage.leaks import Leak, Leakage, find_leaks
from data_pipeline.splitting.splits import SPLITS, SplitName


@pytest.fixture(autouse=True)
def workspace(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(folder))
    return folder


@dataclass(frozen=True)
class Planted:
    """Real pictures in two folders, to which a test adds copies."""

    train: Path
    val: Path

    def leakage(self) -> Leakage:
        return find_leaks({"train": pictures(self.train), "val": pictures(self.val)})


@pytest.fixture
def planted(real_data: Path, tmp_path: Path) -> Planted:
    for split, start in (("train", 0), ("val", 20)):
        (tmp_path / split).mkdir()
        for file in sorted((real_data / "coco_mini" / "train2017").iterdir())[start : start + 12]:
            shutil.copy(file, tmp_path / split)
    return Planted(tmp_path / "train", tmp_path / "val")


def pictures(folder: Path) -> Dataset:
    return dataset(ClassifiedPicture(f.name, f.name, f, "x", 0) for f in folder.iterdir())


def dataset(items: Iterable[Listed]) -> Dataset:
    return Dataset(("x",), tuple(items))


def decoded(file: Path) -> NDArray[np.uint8]:
    pixels = cv2.imread(str(file))
    assert pixels is not None
    return pixels.astype(np.uint8)


def first_of(folder: Path, count: int = 1) -> list[Path]:
    return sorted(folder.iterdir())[:count]


def half(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    small = cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8)


def save(file: Path, pixels: NDArray[np.uint8], quality: int = 90) -> None:
    cv2.imwrite(str(file), pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


def pairs(leakage: Leakage) -> set[tuple[str, str, str]]:
    return {(leak.kind, leak.first_id, leak.second_id) for leak in leakage.leaks}


# --- planted copies ---------------------------------------------------------------------------


def test_real_pictures_of_two_folders_share_nothing(planted: Planted) -> None:
    leakage = planted.leakage()
    assert leakage == Leakage((), {"train": 12, "val": 12}, ())


def test_identical_file_is_found(planted: Planted) -> None:
    [file] = first_of(planted.train)
    shutil.copy(file, planted.val / "copy.jpg")
    assert planted.leakage().leaks == (Leak("identical", "train", file.name, "val", "copy.jpg"),)


@pytest.mark.parametrize("name", ["copy.jpg", "copy.png"])
@pytest.mark.parametrize("quality", [95, 40])
def test_reencoded_copies_are_found(planted: Planted, name: str, quality: int) -> None:
    files = first_of(planted.train, 12)
    for file in files:
        save(planted.val / f"{file.stem} {name}", decoded(file), quality)
    assert pairs(planted.leakage()) == {("near", f.name, f"{f.stem} {name}") for f in files}


def test_resized_copies_are_found(planted: Planted) -> None:
    files = first_of(planted.train, 12)
    for file in files:
        save(planted.val / f"{file.stem} copy.jpg", half(decoded(file)), 75)
    assert pairs(planted.leakage()) == {("near", f.name, f"{f.stem} copy.jpg") for f in files}


def test_mirrored_copies_are_found_small_and_coarse_ones_too(planted: Planted) -> None:
    files = first_of(planted.val, 12)
    for number, file in enumerate(files):
        mirrored = decoded(file)[:, ::-1]
        save(planted.train / f"{file.stem} m.jpg", half(mirrored) if number % 2 else mirrored, 40)
    assert pairs(planted.leakage()) == {("mirrored", f"{f.stem} m.jpg", f.name) for f in files}


def test_copy_of_the_test_split_is_found_in_training_and_in_validation(planted: Planted) -> None:
    test = planted.train.with_name("test")
    test.mkdir()
    [in_train], [in_val] = first_of(planted.train), first_of(planted.val)
    save(test / "one.jpg", decoded(in_train), 60)
    save(test / "two.jpg", decoded(in_val), 60)
    folders = dict(zip(SPLITS, (planted.train, planted.val, test), strict=True))
    leakage = find_leaks({split: pictures(folder) for split, folder in folders.items()})
    assert [(k.first_split, k.first_id, k.second_split, k.second_id) for k in leakage.leaks] == [
        ("train", in_train.name, "test", "one.jpg"),
        ("val", in_val.name, "test", "two.jpg"),
    ]
    assert leakage.counts() == {"near": 2}
    assert all(leak.distance <= 4 for leak in leakage.leaks)


# --- no false alarm ---------------------------------------------------------------------------


def test_all_of_coco_raises_no_alarm(real_data: Path) -> None:
    settings = CocoData(root=real_data / "coco_mini", keep_empty=True)
    splits: dict[SplitName, Dataset] = {}
    for split in ("train", "val"):
        built = coco.build(settings, "object_detection", split)
        assert built is not None
        splits[split] = built
    assert find_leaks(splits) == Leakage((), {"train": 166, "val": 110}, ())


@pytest.mark.parametrize("folder", ["bccd/JPEGImages", "isbi2012/train/image"])
def test_microscope_pictures_of_one_kind_raise_no_alarm(real_data: Path, folder: str) -> None:
    files = sorted((real_data / folder).iterdir())[:80]
    items = [ClassifiedPicture(f.name, f.name, f, "x", 0) for f in files]
    assert find_leaks({"train": dataset(items[::2]), "val": dataset(items[1::2])}).leaks == ()


def test_blank_pictures_are_alike_only_if_they_are_the_same_file(tmp_path: Path) -> None:
    for split, levels in (("train", (0, 100, 255)), ("val", (1, 100, 254))):
        (tmp_path / split).mkdir()
        for level in levels:
            blank = np.full((90, 120, 3), level, dtype=np.uint8)
            blank[40, 50] = level // 2  # one speck is nothing to recognise
            cv2.imwrite(str(tmp_path / split / f"{split} {level}.png"), blank)
    leakage = find_leaks({name: pictures(tmp_path / name) for name in SPLITS[:2]})
    assert pairs(leakage) == {("identical", "train 100.png", "val 100.png")}


# --- many pictures in one file ----------------------------------------------------------------


def stacked(file: Path) -> NDArray[np.uint8]:
    """Read the pictures of a test's file: an array, all in one."""
    pixels: NDArray[np.uint8] = np.load(file)
    return pixels


def packed(tmp_path: Path, split: str, pixels: Sequence[NDArray[np.uint8]]) -> Dataset:
    file = tmp_path / f"{split}.npy"
    np.save(file, np.stack(pixels))
    return dataset(
        PackedPicture(f"{split}/{n}", file, n, "x", 0, stacked) for n in range(len(pixels))
    )


def patches(real_data: Path, side: int) -> list[NDArray[np.uint8]]:
    files = sorted((real_data / "hymenoptera_mini").glob("train/*/*.jpg"))[:16]
    return [cv2.resize(decoded(f), (side, side), interpolation=cv2.INTER_AREA) for f in files]  # type: ignore[misc]  # uint8 stays uint8


def test_mirrored_picture_within_a_file_of_many_is_found(real_data: Path, tmp_path: Path) -> None:
    small = patches(real_data, 32)
    train = packed(tmp_path, "train", small[:8])
    val = packed(tmp_path, "val", [*small[8:], small[3][:, ::-1], small[5]])
    leakage = find_leaks({"train": train, "val": val})
    assert pairs(leakage) == {("mirrored", "train/3", "val/8"), ("identical", "train/5", "val/9")}


def test_pictures_as_small_as_digits_are_compared_by_content_alone(
    real_data: Path, tmp_path: Path
) -> None:
    small = patches(real_data, 28)
    almost = small[3].copy()
    almost[0, 0] ^= 8
    train = packed(tmp_path, "train", small[:8])
    val = packed(tmp_path, "val", [almost, small[5]])
    assert pairs(find_leaks({"train": train, "val": val})) == {("identical", "train/5", "val/1")}


# --- groups -----------------------------------------------------------------------------------


def test_group_in_two_splits_is_named_once(real_data: Path) -> None:
    settings = CamVidData(root=real_data / "camvid_mini")
    train, val = (camvid.build(settings, "", split) for split in ("train", "val"))
    assert train is not None
    assert val is not None
    [leak] = find_leaks({"train": train, "val": val}).leaks
    assert leak == Leak("group", "train", "0016E5_00540", "val", "0016E5_07959", group="0016E5")


def test_patient_in_two_splits_is_named(real_data: Path, tmp_path: Path) -> None:
    source = sorted((real_data / "hymenoptera_mini" / "train" / "ants").iterdir())
    for number, name in enumerate(("train/x/p1_a", "train/x/p2_a", "val/x/p1_b", "val/x/p3_a")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source[number], tmp_path / f"{name}.jpg")
    settings = ImageFolderData(root=tmp_path, group_pattern="^(p[0-9]+)_")
    splits = {split: image_folder.build(settings, "", split) for split in SPLITS[:2]}
    leakage = find_leaks({name: part for name, part in splits.items() if part is not None})
    assert pairs(leakage) == {("group", "train/x/p1_a.jpg", "val/x/p1_b.jpg")}


# --- videos -----------------------------------------------------------------------------------


def clip(file: Path) -> VideoClip:
    return VideoClip(file.stem, file, "x", 0, file.stem)


def recode(source: Path, target: Path, *, is_mirrored: bool) -> None:
    """Write a video again, smaller, at a low bit rate."""
    with av.open(str(source)) as video, av.open(str(target), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 240, 180
        stream.bit_rate = 300_000
        for frame in video.decode(video=0):
            pixels = cv2.resize(frame.to_ndarray(format="rgb24"), (240, 180))
            turned = np.ascontiguousarray(pixels[:, ::-1] if is_mirrored else pixels)
            made = av.VideoFrame.from_ndarray(turned.astype(np.uint8), format="rgb24")
            container.mux(stream.encode(made))
        container.mux(stream.encode())


def test_recoded_and_mirrored_clips_are_found_and_no_other(
    real_data: Path, tmp_path: Path
) -> None:
    real = sorted((real_data / "ucf101_mini" / "UCF-101").glob("*/*.avi"))
    others = sorted((real_data / "hmdb51_mini" / "videos").glob("*/*.avi"))
    recode(real[4], tmp_path / "recoded.avi", is_mirrored=False)
    recode(real[2], tmp_path / "mirrored.avi", is_mirrored=True)
    shutil.copy(real[0], tmp_path / "copy.avi")
    leakage = find_leaks(
        {
            "train": dataset(clip(file) for file in real),
            "val": dataset(clip(file) for file in [*others, *tmp_path.glob("*.avi")]),
        }
    )
    assert pairs(leakage) == {
        ("near", real[4].stem, "recoded"),
        ("mirrored", real[2].stem, "mirrored"),
        ("identical", real[0].stem, "copy"),
    }


def test_clips_of_two_groups_of_one_action_raise_no_alarm(real_data: Path) -> None:
    one, other = sorted((real_data / "ucf101_mini" / "UCF-101" / "SoccerJuggling").iterdir())
    assert find_leaks({"train": dataset([clip(one)]), "val": dataset([clip(other)])}).leaks == ()


# --- what was looked at is kept ---------------------------------------------------------------


def test_unchanged_files_are_not_decoded_again(planted: Planted) -> None:
    looked_at: list[tuple[int, int]] = []
    splits = {"train": pictures(planted.train), "val": pictures(planted.val)}

    def progress(done: int, count: int) -> None:
        looked_at.append((done, count))

    first = find_leaks(splits, progress=progress)  # type: ignore[arg-type]  # both are split names
    assert looked_at == [(number, 24) for number in range(1, 25)]
    looked_at.clear()
    [file] = first_of(planted.val)
    save(file, decoded(first_of(planted.train)[0]))
    second = find_leaks(splits, progress=progress)  # type: ignore[arg-type]
    assert looked_at == [(1, 1)]
    assert first.leaks == ()
    assert pairs(second) == {("near", first_of(planted.train)[0].name, file.name)}


def test_damaged_pictures_are_named_and_the_rest_is_compared(planted: Planted) -> None:
    (planted.val / "damaged.jpg").write_bytes(b"no picture")
    [file] = first_of(planted.train)
    shutil.copy(file, planted.val / "copy.jpg")
    leakage = planted.leakage()
    assert leakage.unreadable == ("damaged.jpg",)
    assert leakage.compared == {"train": 12, "val": 13}
    assert pairs(leakage) == {("identical", file.name, "copy.jpg")}


def test_damaged_store_is_warned_of_and_done_without(planted: Planted, workspace: Path) -> None:
    store = workspace / "cache" / "leakage" / "likenesses.db"
    store.parent.mkdir(parents=True)
    store.write_bytes(b"no database, but longer than a header would be" * 10)
    with pytest.warns(UserWarning, match="what pictures look like cannot be kept in .*leakage"):
        assert planted.leakage().compared == {"train": 12, "val": 12}


# --- ids that are in two splits ---------------------------------------------------------------


def test_pictures_of_one_id_are_looked_at_each(planted: Planted, tmp_path: Path) -> None:
    [one], [other] = first_of(planted.train), first_of(planted.val)
    save(tmp_path / "copy.jpg", decoded(one), 60)
    train = dataset([ClassifiedPicture("7", "a", one, "x", 0)])
    for file, kinds in ((other, []), (tmp_path / "copy.jpg", ["near"])):
        val = dataset([ClassifiedPicture("7", "b", file, "x", 0)])
        assert [leak.kind for leak in find_leaks({"train": train, "val": val}).leaks] == kinds
