"""Predictions are those that a study was scored with, and are written whole, once and named."""

import json
import time
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from data_pipeline.samples import IGNORE, SegmentationBatch
from data_pipeline.source import open_data
from models.label_maps import NONE, most_probable
from models.metrics.segmentation import mean_iou
from models.predictions import PixelProbabilities
from studies.predicting.choosing import ChosenRun, Member
from studies.predicting.earlier_record import OtherPredictionsError
from studies.predicting.label_maps import LabelMaps
from studies.predicting.networks import open_networks
from studies.predicting.pictures import Picture
from studies.predicting.predicting import Predicted, UnusableWishError, read_batches
from studies.predicting.wishes import Wishes
from studies.tree.ledger import Ledger

pytestmark = pytest.mark.slow
Predict = Callable[..., Predicted]
Choose = Callable[[str], ChosenRun]
Bytes = NDArray[np.uint8]


def validation(run: ChosenRun, member: Member) -> tuple[list[Path], Bytes]:
    """Return the validation pictures' files, and their labels at the network's size."""
    data = open_data(member.settings.data, run.task, member.seed)
    files = [item.files[0] for item in data.dataset("val").items]
    masks = [
        batch.masks.numpy()
        for batch in data.validation(member.scored_batch).epoch(1)
        if isinstance(batch, SegmentationBatch)
    ]
    return files, np.concatenate(masks)


def recorded(workspace: Path, study: str, cell: str) -> float:
    ledger = Ledger(workspace / "workspace.db")
    try:
        return float(ledger.cell(study, cell)["metrics"]["val/iou"])
    finally:
        ledger.close()


def iou(truth: Bytes, found: Bytes, classes: range) -> float | None:
    """Score by definition, class by class."""
    valid = truth != IGNORE
    tp = np.array([((truth == label) & (found == label)).sum() for label in classes])
    fp = np.array([((truth != label) & (found == label) & valid).sum() for label in classes])
    fn = np.array([((truth == label) & (found != label)).sum() for label in classes])
    return mean_iou(tp, fp, fn)


def labels_of(predicted: Predicted, file: Path) -> Bytes:
    entry = predicted.record.images[str(file.resolve())]
    return np.array(Image.open(predicted.record.folder / entry["files"]["labels"]))


def read_probability(file: Path) -> NDArray[np.float64]:
    stored = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    assert stored is not None
    assert stored.dtype == np.uint16
    return stored.astype(np.float64) / 65535


@pytest.fixture
def pictures(choose: Choose) -> list[Path]:
    run = choose("scenes")
    return validation(run, run.members[0])[0]


@pytest.mark.parametrize("place", [0, 1])
def test_label_maps_of_the_validation_pictures_score_what_the_study_recorded(
    choose: Choose, predicted: Predict, launched: Path, place: int
) -> None:
    run = choose("scenes")
    member = run.members[place]
    files, truth = validation(run, member)
    done = predicted(f"scenes/{member.cell}", *files)
    found = np.stack([labels_of(done, file) for file in files])

    expected = recorded(launched, "scenes", member.cell)
    assert iou(truth, found, range(1, 2)) == pytest.approx(expected, abs=1e-6)
    assert expected > 0


def test_a_softmax_at_the_networks_size_scores_what_the_study_recorded(
    choose: Choose, launched_streets: Path
) -> None:
    run = choose("streets")
    [member] = run.members
    files, truth = validation(run, member)
    networks = open_networks(run, torch.device("cpu"))
    pictures = [Picture(file, file.stem) for file in files]
    found = [
        most_probable(view.prediction.values.numpy(), view.prediction.labels)
        for batch in read_batches(pictures, run, Wishes())
        for [view] in networks.views(batch.pixels)
        if isinstance(view.prediction, PixelProbabilities)
    ]

    expected = recorded(launched_streets, "streets", member.cell)
    assert iou(truth, np.stack(found), range(11)) == pytest.approx(expected, abs=1e-6)
    assert expected > 0


def test_a_study_of_classes_is_put_together_by_probability(
    choose: Choose, predicted: Predict, pictures: list[Path]
) -> None:
    done = predicted("scenes", *pictures, probabilities=True)
    thresholds = [each.threshold for each in choose("scenes").members]
    for file in pictures:
        files = done.record.images[str(file)]["files"]
        car, bus = (
            read_probability(done.record.folder / files[f"probability_{name}"])
            for name in ("car", "bus")
        )
        has_car, has_bus = car >= thresholds[0] + 1e-4, bus >= thresholds[1] + 1e-4
        labels = labels_of(done, file)
        assert (labels[has_car & (car > bus + 1e-4)] == 1).all()
        assert (labels[has_bus & (bus > car + 1e-4)] == 2).all()
        neither = (car < thresholds[0] - 1e-4) & (bus < thresholds[1] - 1e-4)
        assert (labels[neither] == 0).all()
    assert done.record.classes[1] == {"index": 1, "name": "car", "color": [0, 255, 0]}


def test_another_threshold_and_one_class_change_what_is_found(
    predicted: Predict, pictures: list[Path]
) -> None:
    low = predicted("scenes", *pictures, threshold=0.05, classes=("bus",))
    many = np.stack([labels_of(low, file) for file in pictures])
    high = predicted("scenes", *pictures, threshold=0.9, classes=("bus",), overwrite=True)
    few = np.stack([labels_of(high, file) for file in pictures])

    assert set(np.unique(many)) == {0, 2}
    assert (few == 2).sum() < (many == 2).sum()


def test_outputs_have_the_pictures_own_size_and_the_classes_colours(
    predicted: Predict, pictures: list[Path], tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    picture = cv2.imread(str(pictures[0]))
    assert picture is not None
    cv2.imwrite(str(large), cv2.resize(picture, (150, 100)))
    done = predicted("scenes", large, threshold=0.05)
    entry = done.record.images[str(large)]
    labels = Image.open(done.record.folder / entry["files"]["labels"])
    overlay = cv2.imread(str(done.record.folder / entry["files"]["overlay"]))

    assert labels.size == (150, 100)
    assert labels.mode == "P"
    assert labels.getpalette()[:9] == [0, 0, 0, 0, 255, 0, 0, 0, 255]  # type: ignore[index]
    assert overlay is not None
    assert overlay.shape == (100, 150, 3)
    assert sum(entry["shares"].values()) == pytest.approx(1)
    counts = np.bincount(np.array(labels).ravel(), minlength=3) / 15_000
    assert list(entry["shares"].values()) == pytest.approx(counts)


def test_bands_of_few_rows_give_the_same_label_map(
    predicted: Predict, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = labels_of(predicted("scenes", pictures[0], threshold=0.1), pictures[0])
    monkeypatch.setattr("data_pipeline.loading.restoring.BAND_VALUES", 500)
    bands = predicted("scenes", pictures[0], threshold=0.1, overwrite=True)

    assert (labels_of(bands, pictures[0]) == whole).all()


def test_what_is_done_is_not_done_again_unless_it_changed(
    predicted: Predict, pictures: list[Path], tmp_path: Path
) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    for file in pictures[:3]:
        (copies / file.name).write_bytes(file.read_bytes())
    assert predicted("scenes", copies).predicted == 3
    assert predicted("scenes", copies).predicted == 0
    first, second, third = sorted(copies.iterdir())
    first.write_bytes(third.read_bytes())
    (tmp_path / "out" / "labels" / f"{second.stem}.png").unlink()
    assert predicted("scenes", copies).predicted == 2
    assert predicted("scenes", copies, overwrite=True).predicted == 3


def test_what_is_wanted_besides_is_added(predicted: Predict, pictures: list[Path]) -> None:
    assert predicted("scenes", *pictures, overlay=False).predicted == len(pictures)
    assert predicted("scenes", *pictures, overlay=False).predicted == 0
    assert predicted("scenes", *pictures).predicted == len(pictures)


def test_a_folder_of_other_predictions_is_left_alone(
    predicted: Predict, pictures: list[Path], tmp_path: Path
) -> None:
    predicted("scenes", *pictures)
    before = (tmp_path / "out" / "predictions.json").read_bytes()
    words = r"must hold predictions of this run .* different: threshold\); name another folder"
    with pytest.raises(OtherPredictionsError, match=words):
        predicted("scenes", *pictures, threshold=0.7)
    assert (tmp_path / "out" / "predictions.json").read_bytes() == before
    assert predicted("scenes", *pictures, threshold=0.7, overwrite=True).predicted


def test_a_broken_picture_is_skipped_with_a_reason(
    predicted: Predict, pictures: list[Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(pictures[0].read_bytes()[:300])
    done = predicted("scenes", pictures[0], broken, pictures[1])
    assert done.predicted == 2
    assert "broken.jpg" in done.record.skipped[str(broken)]
    written = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [each["source"] for each in written["skipped"]] == [str(broken)]


def test_what_was_finished_before_a_failure_stays_finished(
    predicted: Predict, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    written, third = LabelMaps.write, sorted(file.stem for file in pictures)[2]

    def fails_at_the_third(self: Any, folder: Path, name: str, *rest: Any, **named: Any) -> Any:
        if name == third:
            raise OSError("no space left")
        return written(self, folder, name, *rest, **named)

    monkeypatch.setattr(LabelMaps, "write", fails_at_the_third)
    with pytest.raises(OSError, match="no space left"):
        predicted("scenes", *pictures, batch_size=1)
    monkeypatch.undo()
    assert predicted("scenes", *pictures).predicted == len(pictures) - 2


def test_the_record_names_run_weights_settings_and_versions(
    choose: Choose, predicted: Predict, pictures: list[Path], tmp_path: Path
) -> None:
    started_at = time.time()
    predicted("scenes", pictures[0])
    content = json.loads((tmp_path / "out" / "predictions.json").read_text())
    network, member = content["run"]["networks"][0], choose("scenes").members[0]

    assert content["run"]["study"] == "scenes"
    assert network["cell"] == member.cell
    assert network["weights_sha256"] == sha256(member.weights.read_bytes()).hexdigest()
    assert network["data"]["image_size"] == 64
    assert network["model"]["base_channels"] == 4
    assert content["versions"]["torch"] == version("torch")
    assert content["images"][0]["source"] == str(pictures[0])
    assert content["images"][0]["stamp"][1] < started_at * 1e9
    assert content["none"] == NONE


@pytest.mark.parametrize(
    ("study", "wishes", "words"),
    [
        (
            "scenes",
            {"classes": ("bsu",)},
            "unknown class of run 'scenes' 'bsu'; did you mean",
        ),
        ("streets", {"threshold": 0.3}, "--threshold has no effect with loss cross_entropy"),
    ],
)
def test_a_wish_that_the_run_cannot_fulfil_is_refused(
    launched_streets: Path,
    predicted: Predict,
    pictures: list[Path],
    study: str,
    wishes: dict[str, Any],
    words: str,
) -> None:
    assert launched_streets.is_dir()
    with pytest.raises(UnusableWishError, match=words):
        predicted(study, *pictures, **wishes)
