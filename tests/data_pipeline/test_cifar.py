"""CIFAR's files: as torchvision reads them, and pickles that would run something."""

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torchvision.datasets import CIFAR10, CIFAR100  # type: ignore[import-untyped]

from data_pipeline.catalog import check_data, class_names, data_fingerprint, label_names
from data_pipeline.datasets import cifar as reader
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.packed import PackedPicture, opened
from data_pipeline.datasets.safe_pickle import read_pickle
from data_pipeline.datasets.settings.pictures import CifarData
from data_pipeline.errors import InvalidDataError
from data_pipeline.samples import ClassificationSample
from data_pipeline.splitting.splits import SplitName

TASK = "image_classification"
TEN = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def built(settings: CifarData, split: SplitName = "train") -> Dataset:
    dataset = reader.build(settings, TASK, split)
    assert dataset is not None
    return dataset


def samples(dataset: Dataset) -> list[ClassificationSample]:
    return [item.read() for item in dataset.items if isinstance(item, PackedPicture)]


def batch(seed: int, labels: dict[str, int], protocol: int) -> bytes:
    """Pickle 8 pictures; `labels` are keys and numbers of classes."""
    random = np.random.default_rng(seed)
    content: dict[str, Any] = {"data": random.integers(0, 256, (8, 3072), dtype=np.uint8)}
    for key, count in labels.items():
        content[key] = random.integers(0, count, 8).tolist()
    return pickle.dumps(content, protocol=protocol)


def write_ten(root: Path, protocol: int) -> None:
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for seed, name in enumerate(TEN):
        (folder / name).write_bytes(batch(seed, {"labels": 10}, protocol))
    names = {"label_names": [f"thing {number}" for number in range(10)]}
    (folder / "batches.meta").write_bytes(pickle.dumps(names, protocol=protocol))


def write_hundred(root: Path, protocol: int) -> None:
    folder = root / "cifar-100-python"
    folder.mkdir()
    for seed, name in enumerate(("train", "test")):
        (folder / name).write_bytes(
            batch(seed, {"fine_labels": 100, "coarse_labels": 20}, protocol)
        )
    names = {"fine_label_names": [f"thing {number:02}" for number in range(100)]}
    (folder / "meta").write_bytes(pickle.dumps(names, protocol=protocol))


def trust(variant: type[CIFAR10], root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torchvision, which knows the official files' sums, take ours for them."""
    folder = root / variant.base_folder

    def summed(name: str) -> str:
        return hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest()

    for field in ("train_list", "test_list"):
        listed = [[name, summed(name)] for name, _ in getattr(variant, field)]
        monkeypatch.setattr(variant, field, listed)
    meta = variant.meta | {"md5": summed(variant.meta["filename"])}
    monkeypatch.setattr(variant, "meta", meta)


@pytest.fixture(autouse=True)
def workspace(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(folder))
    return folder


@pytest.fixture
def ten(tmp_path: Path) -> CifarData:
    write_ten(tmp_path, protocol=2)
    return CifarData(root=tmp_path)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("variant", [10, 100])
def test_pictures_labels_and_names_are_those_of_torchvision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: int, protocol: int
) -> None:
    (write_ten if variant == 10 else write_hundred)(tmp_path, protocol)
    torchvisions = CIFAR10 if variant == 10 else CIFAR100
    trust(torchvisions, tmp_path, monkeypatch)
    made = CifarData.model_validate({"root": tmp_path, "variant": variant})
    assert check_data(made) == []
    for split, is_train in (("train", True), ("test", False)):
        theirs = torchvisions(tmp_path, train=is_train)
        ours = samples(built(made, split))  # type: ignore[arg-type]  # both are split names
        assert class_names(made) == label_names(made, TASK) == tuple(theirs.classes)
        assert [sample.label for sample in ours] == theirs.targets
        assert (np.stack([sample.image for sample in ours]) == theirs.data).all()


def test_there_is_no_validation_and_ids_count_through_the_batches(ten: CifarData) -> None:
    assert reader.build(ten, TASK, "val") is None
    assert built(ten).image_ids == tuple(f"train/{number:05}" for number in range(40))
    assert built(ten, "test").image_ids[0] == "test/00000"


def test_an_item_is_a_place_in_the_file_and_no_copy(ten: CifarData) -> None:
    item = built(ten).items[20]
    assert isinstance(item, PackedPicture)
    assert (item.file.name, item.place) == ("data_batch_3", 4)
    assert isinstance(opened(item.file, item.unpack), np.memmap)
    assert len(pickle.dumps(item)) < 1000


def test_chosen_classes_are_labelled_in_the_studys_order(ten: CifarData) -> None:
    everything = {s.image_id: s.label for s in samples(built(ten))}
    chosen = samples(built(ten.model_copy(update={"classes": ["thing 5", "thing 1"]})))
    assert {s.image_id: (5, 1)[s.label] for s in chosen} == {
        image_id: label for image_id, label in everything.items() if label in (1, 5)
    }


def test_label_that_is_no_class_is_left_out_and_named(ten: CifarData) -> None:
    file = ten.root / "cifar-10-batches-py" / "data_batch_2"
    content = {"data": np.zeros((2, 3072), dtype=np.uint8), "labels": [3, 10]}
    file.write_bytes(pickle.dumps(content, protocol=2))
    dataset = built(ten)
    [fault] = dataset.faults
    assert (fault.kind, fault.where) == ("unknown_label", "train/00009")
    assert len(dataset) == 33


class Trap:
    """What a pickle may name: here a function that leaves a trace on disk."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_pickle_that_names_a_function_runs_nothing(ten: CifarData, protocol: int) -> None:
    trace = ten.root / "trace"
    content = pickle.dumps({"data": Trap(trace), "labels": []}, protocol=protocol)
    (ten.root / "cifar-10-batches-py" / "data_batch_1").write_bytes(content)
    with pytest.raises(InvalidDataError, match=r"a pickle of arrays.* it names \w+\.mkdir"):
        built(ten)
    assert not trace.exists()
    pickle.loads(content)  # as it would have been
    assert trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cnumpy\nndarray\n((I99999999999\ntR.",  # an array of 100 GB
        b"c_codecs\nencode\n(Vx\nVrot13\ntR.",  # another codec
        b"cnumpy\nndarray\n}Vshape\nI1\nsb.",  # an attribute of the stand-in itself
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",  # bytes without end
        b"r\xff\xff\xff\x7f",  # a table of 32 GB
        b"}" + b")" + b"\x85" * 500_000 + b"I1\ns.",  # a key nested 500,000 times
        b"\x80\x05\x96\xff\xff\xff\xff\x0f\x00\x00\x00.",  # a bytearray of 64 GB
        b"(" * 100_000,
        b"",
    ],
)
def test_hostile_pickle_is_an_error_and_takes_no_memory(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "batch"
    file.write_bytes(content)
    with pytest.raises(InvalidDataError):
        reader.colour_images(file)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_pickle_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    file = tmp_path / "batch"
    content = bytearray(batch(0, {"labels": 10}, protocol=2))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 120) | st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        pictures = reader.colour_images(file)
    except InvalidDataError:
        return
    assert pictures.shape[1:] == (32, 32, 3)


def test_what_is_read_holds_no_foreign_object(ten: CifarData) -> None:
    content = read_pickle(ten.root / "cifar-10-batches-py" / "data_batch_1")
    assert isinstance(content, dict)
    assert {type(value).__module__ for value in content.values()} == {
        "builtins",
        "data_pipeline.datasets.safe_pickle",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"labels": [1]}, "must hold 1 rows of 3072 bytes under 'data'"),
        ({"data": np.zeros((1, 3072), dtype=np.uint8)}, "a list of whole numbers under 'labels'"),
        ({"data": np.zeros((2, 3072), dtype=np.uint8), "labels": [1]}, "must hold 1 rows"),
        ([1, 2], "a list of whole numbers under 'labels'"),
    ],
)
def test_batch_without_its_parts_is_named(ten: CifarData, content: object, message: str) -> None:
    file = ten.root / "cifar-10-batches-py" / "data_batch_4"
    file.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(InvalidDataError, match=message):
        built(ten)


def test_pixels_of_another_type_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "batch"
    content = {"data": np.zeros((1, 3072), dtype=np.int16), "labels": [1]}
    file.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(InvalidDataError, match="rows of 3072 bytes"):
        reader.colour_images(file)


def test_everything_missing_is_named_at_once(ten: CifarData) -> None:
    folder = ten.root / "cifar-10-batches-py"
    (folder / "data_batch_3").unlink()
    (folder / "batches.meta").unlink()
    assert [p.partition(",")[0] for p in check_data(ten)] == [
        f"{folder} must hold the file batches.meta",
        f"{folder} must hold the file data_batch_3",
    ]
    [problem] = check_data(ten.model_copy(update={"variant": 100}))
    assert "must hold the folder cifar-100-python" in problem


def test_fingerprint_follows_the_content(ten: CifarData) -> None:
    before = data_fingerprint(ten)
    file = ten.root / "cifar-10-batches-py" / "test_batch"
    file.write_bytes(batch(9, {"labels": 10}, 2))
    assert data_fingerprint(ten) != before
