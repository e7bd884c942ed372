"""Reading scikit-learn's digits without scikit-learn."""

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits  # type: ignore[import-untyped]

from data_pipeline.catalog import check_data, data_fingerprint
from data_pipeline.datasets import digits
from data_pipeline.datasets.settings.pictures import DigitsData
from data_pipeline.errors import DataError
from data_pipeline.samples import ClassificationBatch
from data_pipeline.source import DataSource, open_data
from data_pipeline.splitting.splits import SPLITS, SplitName

TASK = "image_classification"


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "workspace"))


def opened(**fields: object) -> DataSource:
    return open_data(DigitsData.model_validate({"image_size": 8, **fields}), TASK, seed=0)


def replaced(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setattr(digits, "digits_file", lambda: file)


def counts(source: DataSource, split: SplitName) -> Counter[str]:
    return Counter(item.classes[0] for item in source.dataset(split).items)


def test_pictures_and_labels_are_those_that_scikit_learn_loads() -> None:
    pixels, labels = load_digits(return_X_y=True)
    images = digits.digit_images(digits.digits_file())
    assert images.shape == (1797, 8, 8)
    np.testing.assert_allclose(images.reshape(-1, 64), pixels * 255 / 16, atol=0.5)
    np.testing.assert_array_equal(digits.digit_labels(digits.digits_file()), labels)


def test_a_batch_holds_the_picture_and_the_label_of_its_id() -> None:
    pixels, labels = load_digits(return_X_y=True)
    (batch,) = opened().validation(16).epoch(1, end_batch=1)
    assert isinstance(batch, ClassificationBatch)
    places = [int(image_id) for image_id in batch.image_ids]
    assert batch.labels.tolist() == labels[places].tolist()
    grey = batch.images.numpy()
    assert (grey == grey[:, :1]).all()
    np.testing.assert_allclose(grey[:, 0].reshape(16, 64), pixels[places] * 255 / 16, atol=0.5)


def test_the_given_split_has_each_digit_alike_and_every_picture_once() -> None:
    source = opened()
    sizes = {name: len(source.image_ids(name)) for name in SPLITS}
    assert sizes == {"train": 1150, "val": 288, "test": 359}
    assert len({i for name in SPLITS for i in source.image_ids(name)}) == 1797
    everywhere = Counter(map(str, load_digits().target.tolist()))
    for name, size in sizes.items():
        for digit, count in counts(source, name).items():
            assert count == pytest.approx(everywhere[digit] * size / 1797, abs=1)


def test_a_digit_is_in_the_same_split_whatever_classes_are_chosen() -> None:
    every, some = opened(), opened(classes=["8", "3"])
    assert some.class_names == ("8", "3")
    assert set(some.image_ids("test")) < set(every.image_ids("test"))
    assert set(counts(some, "test")) == {"3", "8"}


def test_folds_share_one_test_split() -> None:
    tests = {opened(split={"folds": 5, "fold": fold}).image_ids("test") for fold in range(5)}
    assert len(tests) == 1


def test_the_fingerprint_is_of_the_digits_and_not_of_how_they_are_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = gzip.decompress(digits.digits_file().read_bytes())
    before = data_fingerprint(DigitsData())
    replaced(monkeypatch, tmp_path / "digits.csv.gz")
    (tmp_path / "digits.csv.gz").write_bytes(gzip.compress(content, 1))
    assert data_fingerprint(DigitsData()) == before
    (tmp_path / "digits.csv.gz").write_bytes(gzip.compress(content.replace(b"16", b"15", 1)))
    assert data_fingerprint(DigitsData()) != before


def test_a_file_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced(monkeypatch, tmp_path / "digits.csv.gz")
    (problem,) = check_data(DigitsData())
    assert problem == f"{tmp_path / 'digits.csv.gz'} must be there, got none; " + (
        "reinstall scikit-learn"
    )


def test_without_scikit_learn_the_check_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "find_spec", lambda _: None)
    assert check_data(DigitsData()) == [
        "dataset 'digits' is a part of scikit-learn; reinstall scikit-learn"
    ]


@pytest.mark.parametrize(
    ("rows", "got"),
    [
        (b"1,2,3\n4,5,6\n", "an array of 2 x 3"),
        (b"1,2,3\n4,5\n", "others"),
        (b"1,two\n", "others"),
        (b"", "an array of 0"),
        (b",".join([b"0"] * 64 + [b"10"]), "numbers from 0 to 10"),
        (b",".join([b"17"] * 64 + [b"1"]), "numbers from 1 to 17"),
    ],
)
def test_a_file_of_something_else_is_refused(
    rows: bytes, got: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced(monkeypatch, tmp_path / "digits.csv.gz")
    (tmp_path / "digits.csv.gz").write_bytes(gzip.compress(rows))
    with pytest.raises(DataError, match=got):
        opened().image_ids("train")


def test_a_file_that_ends_early_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = digits.digits_file().read_bytes()
    replaced(monkeypatch, tmp_path / "digits.csv.gz")
    (tmp_path / "digits.csv.gz").write_bytes(whole[:10_000])
    with pytest.raises(DataError, match="must be a whole gzip file"):
        opened().image_ids("train")
