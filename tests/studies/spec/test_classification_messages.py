"""What a study of whole images may not say: settings and metrics without effect or meaning."""

from collections.abc import Callable
from pathlib import Path

import pytest

Heads = Callable[..., list[str]]
IMAGES = """\
study: demo
task: image_classification
data: {dataset: image_folder, root: pictures, image_size: 32}
model: {name: small_cnn}
training: {epochs: 2}
objective: {metric: val/top1}
search:
  tree:
    - stage: learning rate
      vary: {training.learning_rate: [1e-3, 1e-4]}
"""
NO_EFFECT = "has no effect on task image_classification; remove it"
TWO = "image_size: 32, classes: [ant, bee]"


@pytest.fixture(autouse=True)
def _pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the folders of two classes; what is in them is not read yet."""
    for name in ("ant", "bee"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        (tmp_path / "pictures" / name / "1.png").touch()
    monkeypatch.chdir(tmp_path)


def test_study_of_images_is_one(load: Callable[..., object]) -> None:
    load(IMAGES)
    load(IMAGES.replace("{epochs: 2}", "{epochs: 2, loss: cross_entropy}"))
    reference = IMAGES.replace("name: small_cnn", "name: constant")
    load(
        reference.replace("training: {epochs: 2}\n", "").replace(
            "training.learning_rate: [1e-3, 1e-4]", "data.image_size: [32, 48]"
        )
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "search:",
            "evaluation: {threshold: 0.4}\nsearch:",
            f"7:14: evaluation.threshold: threshold {NO_EFFECT}",
        ),
        (
            "image_size: 32",
            "image_size: 32, one_model_per_class: true, classes: [ant, bee]",
            "data.one_model_per_class: on task image_classification a sample shows one of the "
            "classes, so that a network of a single class has nothing to choose from; remove it",
        ),
        (
            "image_size: 32",
            "image_size: 32, classes: [ant]",
            "data.classes: task image_classification needs at least two classes, got ant alone; "
            "name more",
        ),
        (
            "val/top1",
            "val/iou",
            "6:21: objective.metric: unknown metric 'iou' of task image_classification (known: "
            "top1, top5, class_recall, precision, f1, auc, ece, loss, log_loss)",
        ),
        (
            "name: small_cnn",
            "name: unet",
            "4:15: model.name: this model is for semantic_segmentation, and the study's task is "
            "image_classification; choose another (visionstudy models list) or change the task",
        ),
    ],
)
def test_setting_that_means_nothing_is_refused(
    old: str, new: str, message: str, problems: Heads
) -> None:
    assert IMAGES.count(old) == 1
    found = problems(IMAGES.replace(old, new))
    assert any(each.endswith(message) for each in found), found


def test_top_five_of_few_classes_is_no_objective(problems: Heads) -> None:
    few = IMAGES.replace("image_size: 32", TWO)
    assert problems(few.replace("val/top1", "val/top5")) == [
        "6:21: objective.metric: val/top5 needs more than 5 classes, got 2, which are all among "
        "the first five; choose by top1"
    ]


def test_calibration_error_is_not_maximized(problems: Heads) -> None:
    (found,) = problems(IMAGES.replace("val/top1", "val/ece"))
    assert found.startswith("6:")
    assert "minimize" in found
