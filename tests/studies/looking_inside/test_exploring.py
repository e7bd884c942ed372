"""Looking into a run's network: what is written, said and refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

from studies.looking_inside.explained import Explained
from studies.looking_inside.exploring import explain
from studies.looking_inside.wishes import METHODS, LookWish, UnusableLookError
from studies.predicting.choosing import ChosenRun

ATTENTIVE: dict[str, Any] = {"name": "attention_cnn", "filters": [8, 12]}
Look = Callable[..., Explained]


@pytest.fixture
def look(run_of: Callable[..., ChosenRun], picture: Path, tmp_path: Path) -> Look:
    """Return a function that looks into a network of chance."""

    def run(model: dict[str, Any] = ATTENTIVE, *given: Path, **wish: Any) -> Explained:
        wish = {"method": "grad_cam", **wish}
        pictures = (
            [] if wish["method"] == "filters" else [str(each) for each in given or [picture]]
        )
        return explain(
            run_of(model),
            pictures,
            tmp_path / "out",
            wish=LookWish(**wish),
            device=torch.device("cpu"),
        )

    return run


@pytest.mark.parametrize("method", METHODS)
def test_every_method_writes_a_picture_and_a_record(look: Look, method: str) -> None:
    explained = look(method=method)
    [entry] = explained.pictures
    drawn = cv2.imread(str(explained.folder / entry["file"]))
    assert drawn is not None
    assert drawn.std() > 0
    record = json.loads((explained.folder / "explanations.json").read_text())
    assert record == json.loads(json.dumps(explained.content()))
    assert explained.folder.name == record["method"] == method


def test_the_most_probable_class_is_asked_about(look: Look) -> None:
    [entry] = look().pictures
    assert entry["class"] == entry["most_probable"]
    assert entry["probability"] >= 1 / 3


def test_another_class_may_be_asked_about(look: Look) -> None:
    found = {name: look(class_name=name).pictures[0] for name in ("ant", "bee", "cat")}
    assert all(entry["class"] == name for name, entry in found.items())
    assert sum(entry["probability"] for entry in found.values()) == pytest.approx(1)
    assert len({entry["peak"] for entry in found.values()}) > 1


def test_the_layer_is_said(look: Look) -> None:
    assert look().layer == "blocks"  # ends with the ReLU of the last convolution
    assert look(layer="blocks.1").layer == "blocks.1"
    assert look(method="filters").layer == "blocks.0"
    assert look(method="attention").layer == "attention"
    assert look(method="saliency").layer == ""


def test_the_parts_of_integrated_gradients_add_up(look: Look) -> None:
    [entry] = look(method="integrated_gradients").pictures
    assert entry["gap"] < 0.02  # the network is not smooth, and the steps are counted


def test_a_broken_picture_is_skipped_and_said(look: Look, picture: Path) -> None:
    broken = picture.with_name("broken.jpg")
    broken.write_bytes(b"no picture")
    explained = look(ATTENTIVE, broken, picture)
    assert [entry["file"] for entry in explained.pictures] == ["one.png"]
    assert "cannot decode image" in explained.skipped[str(broken)]
    assert any(line.startswith(f"skipped {broken}") for line in explained.lines())


def test_what_was_written_is_no_picture_to_look_at(look: Look, picture: Path) -> None:
    folder = picture.parent
    first = look(ATTENTIVE, folder)
    (folder / "one_more.png").write_bytes(picture.read_bytes())
    assert [entry["file"] for entry in first.pictures] == ["one.png"]
    again = look(ATTENTIVE, folder)
    assert [entry["file"] for entry in again.pictures] == ["one.png", "one_more.png"]


def test_words_name_class_layer_and_place(look: Look) -> None:
    explained = look(method="attention")
    first, line, last = explained.lines()
    assert first == "attention of layer attention"
    assert line.startswith(f"one.png  {explained.pictures[0]['class']} 0.")
    assert "peak 0." in line
    assert " across, " in line
    assert last == f"wrote {explained.folder}"


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"method": "gradcam"}, "unknown --method 'gradcam'; did you mean 'grad_cam'?"),
        ({"layer": "block.4"}, "unknown layer 'block.4' in --layer; did you mean 'blocks.4'?"),
        ({"layer": "output"}, r"'output' has one of shape \(3,\); name an earlier layer"),
        ({"class_name": "be"}, "unknown class of run 'insects' 'be'; did you mean 'bee'?"),
        (
            {"method": "saliency", "layer": "blocks"},
            "--layer has no effect with --method saliency",
        ),
        ({"method": "features", "class_name": "bee"}, "--class has no effect with --method feat"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(
    look: Look, wish: dict[str, Any], words: str
) -> None:
    with pytest.raises(UnusableLookError, match=words):
        look(**wish)


def test_a_network_without_attention_is_told_what_has_one(look: Look) -> None:
    with pytest.raises(UnusableLookError, match="SmallCNN has none; use the method grad_cam"):
        look({"name": "small_cnn", "filters": [4], "grid": 1}, method="attention")


def test_filters_are_of_no_picture(run_of: Callable[..., ChosenRun], tmp_path: Path) -> None:
    with pytest.raises(UnusableLookError, match="pictures have no effect with --method filters"):
        explain(
            run_of(ATTENTIVE),
            ["one.png"],
            tmp_path,
            wish=LookWish("filters"),
            device=torch.device("cpu"),
        )


def test_maps_are_of_a_picture(run_of: Callable[..., ChosenRun], tmp_path: Path) -> None:
    with pytest.raises(UnusableLookError, match="--method grad_cam needs a picture; name one"):
        explain(run_of(ATTENTIVE), [], tmp_path, wish=LookWish(), device=torch.device("cpu"))


@pytest.mark.parametrize(
    ("task", "model"),
    [
        ("object_detection", {"name": "yolov3_tiny", "width": 0.0625}),
        ("semantic_segmentation", {"name": "unet", "base_channels": 4, "depth": 2}),
    ],
)
def test_networks_whose_answers_have_places_are_refused(
    run_of: Callable[..., ChosenRun],
    picture: Path,
    tmp_path: Path,
    task: str,
    model: dict[str, Any],
) -> None:
    with pytest.raises(UnusableLookError, match=f"is of {task}, whose answers have places of"):
        explain(
            run_of(model, task),
            [str(picture)],
            tmp_path / "out",
            wish=LookWish(),
            device=torch.device("cpu"),
        )
