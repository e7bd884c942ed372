"""What a classifier leaves of pictures: probabilities, a table, and words over each picture."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.loading.resizing import placement
from models.classification.small_cnn_settings import SmallCNNSettings
from models.predictions import ClassProbabilities
from models.settings import EvaluationSettings, TrainingSettings
from studies.cli.predicting_output import run_lines
from studies.predicting.choosing import ChosenRun, Member
from studies.predicting.networks import View
from studies.predicting.picture_classes import PictureClasses
from studies.predicting.predicting import UnusableWishError, check_wishes
from studies.predicting.wishes import Wishes
from studies.spec.schema import CellSettings

NAMES = ("ant", "bee", "cicada", "dragonfly")
PICTURE_HW = (200, 300)


@pytest.fixture
def run() -> ChosenRun:
    settings = CellSettings.model_construct(
        data=StreetScenesData(image_size=32),
        model=SmallCNNSettings(),
        training=TrainingSettings(),
        evaluation=EvaluationSettings(),
    )
    member = Member(
        cell="a",
        trained="a",
        role="",
        group="",
        seed=0,
        settings=settings,
        class_names=NAMES,
        threshold=0.5,
        weights=Path("best-1.pt"),
        scored_batch=1,
    )
    return ChosenRun("demo", "image_classification", (member,), NAMES)


def written(
    run: ChosenRun, folder: Path, name: str, *values: float, **wishes: Any
) -> dict[str, Any]:
    """Write a grey picture of these probabilities."""
    place = placement("stretch", 32, PICTURE_HW)
    view = View(place, ClassProbabilities(torch.tensor(values)))
    pixels = np.full((*PICTURE_HW, 3), 200, np.uint8)
    entry = PictureClasses(run, Wishes(**wishes)).write(folder, name, pixels, views=[view])
    return {"name": name, **entry}


def test_every_probability_is_written_and_the_likeliest_class_is_named(
    run: ChosenRun, tmp_path: Path
) -> None:
    entry = written(run, tmp_path, "a/7", 0.1, 0.6, 0.25, 0.05)
    assert (entry["class"], entry["probability"]) == ("bee", 0.6)
    content = json.loads((tmp_path / entry["files"]["classes"]).read_text())
    assert content == {"ant": 0.1, "bee": 0.6, "cicada": 0.25, "dragonfly": 0.05}


def test_first_of_equals_is_named(run: ChosenRun, tmp_path: Path) -> None:
    assert written(run, tmp_path, "a", 0.25, 0.25, 0.25, 0.25)["class"] == "ant"


def test_words_are_in_the_corner_and_the_rest_stays_as_it_is(
    run: ChosenRun, tmp_path: Path
) -> None:
    entry = written(run, tmp_path, "a", 0.1, 0.6, 0.25, 0.05)
    overlay = cv2.imread(str(tmp_path / entry["files"]["overlay"]))
    assert overlay is not None
    assert np.abs(overlay[100:, 150:].astype(int) - 200).max() < 12
    assert overlay[:20, :40].min() < 80  # darkened
    assert overlay[:20, :40].max() > 200  # with letters
    bare = written(run, tmp_path, "b", 0.1, 0.6, 0.25, 0.05, overlay=False)
    assert "overlay" not in bare["files"]


def test_all_pictures_are_one_table(run: ChosenRun, tmp_path: Path) -> None:
    images = [
        written(run, tmp_path, "a/1", 0.7, 0.1, 0.1, 0.1),
        written(run, tmp_path, "b, 2", 0.2, 0.3, 0.1, 0.4),
    ]
    PictureClasses(run, Wishes()).finish(tmp_path, images)
    rows = list(csv.DictReader((tmp_path / "classes.csv").read_text().splitlines()))
    assert [row["picture"] for row in rows] == ["a/1", "b, 2"]
    assert [row["class"] for row in rows] == ["ant", "dragonfly"]
    assert [float(rows[1][name]) for name in NAMES] == [0.2, 0.3, 0.1, 0.4]


def test_name_that_is_not_utf_8_keeps_its_bytes_in_the_table(
    run: ChosenRun, tmp_path: Path
) -> None:
    image = written(run, tmp_path, os.fsdecode(b"caf\xe9"), 0.7, 0.1, 0.1, 0.1, overlay=False)
    PictureClasses(run, Wishes()).finish(tmp_path, [image])
    assert b"\ncaf\xe9,ant,0.7," in (tmp_path / "classes.csv").read_bytes().replace(b"\r", b"")


@pytest.mark.parametrize(
    ("wishes", "option"),
    [
        ({"threshold": 0.4}, "--threshold"),
        ({"least_score": 0.4}, "--least-score"),
        ({"probabilities": True}, "--probabilities"),
        ({"classes": ("bee",)}, "--class"),
    ],
)
def test_what_is_wanted_of_pixels_or_objects_is_refused(
    wishes: dict[str, Any], option: str, run: ChosenRun
) -> None:
    check_wishes(run, Wishes())
    with pytest.raises(UnusableWishError, match=f"{option} has no effect on whole pictures"):
        check_wishes(run, Wishes(**wishes))


def test_no_threshold_is_spoken_of(run: ChosenRun) -> None:
    (line,) = run_lines(run)
    assert line.endswith("small_cnn at 32 px, labels ant, bee, cicada, dragonfly")
