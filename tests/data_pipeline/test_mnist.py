"""MNIST's files: as torchvision reads them, gzipped, damaged, and without a copy per picture."""

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from torchvision.datasets import MNIST  # type: ignore[import-untyped]

from data_pipeline.catalog import check_data, class_names, data_fingerprint, label_names
from data_pipeline.datasets import mnist as reader
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.packed import PackedPicture, opened
from data_pipeline.datasets.settings.pictures import MnistData
from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.samples import ClassificationSample
from data_pipeline.splitting.splits import SplitName

TASK = "image_classification"
COUNTS = {"train": 25, "t10k": 12}


def built(settings: MnistData, split: SplitName = "train") -> Dataset:
    dataset = reader.build(settings, TASK, split)
    assert dataset is not None
    return dataset


def samples(dataset: Dataset) -> list[ClassificationSample]:
    return [item.read() for item in dataset.items if isinstance(item, PackedPicture)]


def idx(values: NDArray[np.uint8]) -> bytes:
    head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return head + values.tobytes()


@pytest.fixture(autouse=True)
def workspace(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(folder))
    return folder


@pytest.fixture
def made(tmp_path: Path) -> MnistData:
    """Digits of noise, where torchvision leaves its download."""
    random = np.random.default_rng(0)
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for prefix, count in COUNTS.items():
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
        labels = random.integers(0, 10, count, dtype=np.uint8)
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))
    return MnistData(root=tmp_path)


def raw_file(settings: MnistData, name: str) -> Path:
    return settings.root / "MNIST" / "raw" / name


def compress(settings: MnistData) -> None:
    for file in list((settings.root / "MNIST" / "raw").iterdir()):
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()


@pytest.mark.parametrize("is_compressed", [False, True])
def test_pictures_and_labels_are_those_of_torchvision(
    made: MnistData, is_compressed: bool
) -> None:
    theirs = {
        split: [(np.array(image), label) for image, label in MNIST(made.root, train=train)]
        for split, train in (("train", True), ("test", False))
    }
    if is_compressed:
        compress(made)
    assert check_data(made) == []
    for split, expected in theirs.items():
        ours = samples(built(made, split))  # type: ignore[arg-type]  # both are split names
        assert [sample.label for sample in ours] == [label for _, label in expected]
        for sample, (image, _) in zip(ours, expected, strict=True):
            assert sample.image.shape == (28, 28, 3)
            assert (sample.image == image[:, :, np.newaxis]).all()


def test_classes_are_the_digits_and_there_is_no_validation(made: MnistData) -> None:
    assert class_names(made) == label_names(made, TASK) == tuple("0123456789")
    assert reader.build(made, TASK, "val") is None


def test_files_may_lie_in_the_root_and_be_spelt_with_a_dot(made: MnistData) -> None:
    for prefix in COUNTS:
        for kind, number in (("images", 3), ("labels", 1)):
            file = raw_file(made, f"{prefix}-{kind}-idx{number}-ubyte")
            file.rename(made.root / f"{prefix}-{kind}.idx{number}-ubyte")
    assert check_data(made) == []
    assert len(built(made)) == 25


def test_chosen_digits_are_labelled_in_the_studys_order(made: MnistData) -> None:
    everything = {s.image_id: s.label for s in samples(built(made))}
    chosen = samples(built(made.model_copy(update={"classes": ["7", "2"]})))
    assert {s.image_id: (7, 2)[s.label] for s in chosen} == {
        image_id: digit for image_id, digit in everything.items() if digit in (2, 7)
    }


def test_an_item_is_a_place_in_the_file_and_no_copy(made: MnistData) -> None:
    dataset = built(made)
    assert len(pickle.dumps(dataset.items[0])) < 1000
    item = dataset.items[3]
    assert isinstance(item, PackedPicture)
    assert isinstance(opened(item.file, item.unpack), np.memmap)
    item.read().image[:] = 0
    assert item.read().image.any()


def test_compressed_file_is_unpacked_once_for_all_processes(
    made: MnistData, workspace: Path
) -> None:
    compress(made)
    [item] = [i for i in built(made).items if i.image_id == "train/00004"]
    assert isinstance(item, PackedPicture)
    assert isinstance(opened(item.file, item.unpack), np.memmap)
    assert len(list((workspace / "cache" / "unpacked").iterdir())) == 1


def test_workspace_that_cannot_be_written_is_done_without(
    made: MnistData, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [sample.image for sample in samples(built(made))]
    compress(made)
    file = made.root / "a file"
    file.touch()
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(file))
    got = [sample.image for sample in samples(built(made))]
    assert all((one == other).all() for one, other in zip(got, expected, strict=True))


def test_changed_file_is_read_anew(made: MnistData) -> None:
    file = raw_file(made, "train-images-idx3-ubyte")
    before = samples(built(made))[0].image
    fingerprint = data_fingerprint(made)
    replacement = file.with_name("other")
    replacement.write_bytes(idx(np.full((25, 28, 28), 7, dtype=np.uint8)))
    replacement.replace(file)
    after = samples(built(made))[0].image
    assert not (before == after).all()
    assert (after == 7).all()
    assert data_fingerprint(made) != fingerprint


def test_label_that_is_no_digit_is_left_out_and_named(made: MnistData) -> None:
    labels = np.arange(25, dtype=np.uint8) % 11
    raw_file(made, "train-labels-idx1-ubyte").write_bytes(idx(labels))
    dataset = built(made)
    assert [(f.kind, f.where) for f in dataset.faults] == [
        ("unknown_label", "train/00010"),
        ("unknown_label", "train/00021"),
    ]
    assert len(dataset) == 23


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
@pytest.mark.parametrize("size", [0, 3, 10, 30])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_file_that_ends_early_is_named(
    made: MnistData, name: str, size: int, is_compressed: bool
) -> None:
    file = raw_file(made, name)
    file.write_bytes(file.read_bytes()[:size])
    if is_compressed:
        compress(made)
    with pytest.raises(InvalidDataError, match=rf"{name}.* must (be|hold)"):
        built(made)


@pytest.mark.parametrize("cut", [5, 60, 400])
def test_archive_that_ends_early_is_named(made: MnistData, cut: int) -> None:
    compress(made)
    file = raw_file(made, "train-images-idx3-ubyte.gz")
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(InvalidDataError, match="must be"):
        built(made)


def test_archive_of_zeros_is_not_unpacked(made: MnistData) -> None:
    """A header that fits 40 GB of zeros must not make us read them."""
    compress(made)
    head = bytes([0, 0, 8, 3]) + struct.pack(">3I", 50_000_000, 28, 28)
    file = raw_file(made, "train-images-idx3-ubyte.gz")
    file.write_bytes(gzip.compress(head + bytes(1000)))
    with pytest.raises(InvalidDataError, match="must be an IDX file of bytes in 3 dimensions"):
        built(made)


def test_another_number_of_labels_is_named(made: MnistData) -> None:
    raw_file(made, "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(24, dtype=np.uint8)))
    with pytest.raises(InvalidDataError, match=r"a label for each of the 25 images .* got 24"):
        built(made)


def test_everything_missing_is_named_at_once(made: MnistData) -> None:
    raw_file(made, "train-images-idx3-ubyte").unlink()
    raw_file(made, "t10k-labels-idx1-ubyte").unlink()
    first, second, third = check_data(made.model_copy(update={"classes": ["ten"]}))
    assert first.startswith("file train-images-idx3-ubyte (or train-images-idx3-ubyte.gz) must")
    assert second.startswith("file t10k-labels-idx1-ubyte")
    assert third.startswith("unknown class of dataset 'mnist' 'ten'")


def test_file_that_is_gone_is_named(made: MnistData) -> None:
    [item, *_] = built(made).items
    assert isinstance(item, PackedPicture)
    item.file.unlink()
    with pytest.raises(MissingDataError, match="cannot read"):
        item.read()
