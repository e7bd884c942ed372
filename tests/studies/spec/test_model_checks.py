"""What models make nothing of: training that no reference does, metrics that see no SVM."""

from collections.abc import Callable

import pytest

from models.catalog import MODELS
from models.reference_settings import IDLE_WITHOUT_GRADIENTS

Heads = Callable[..., list[str]]
REFERENCE = """\
study: demo
task: semantic_segmentation
data: {dataset: none, classes: [person, car], image_size: 64}
model: {name: constant}
objective: {metric: val/iou}
search:
  tree:
    - stage: first
      vary: {data.image_size: [64, 96]}
"""
SIZES = "vary: {data.image_size: [64, 96]}"
NETWORKS = """
    - stage: network
      vary: {model: [{name: otsu}, {name: unet, base_channels: 8}]}
"""
ACTIONS = """\
study: demo
task: action_recognition
data: {dataset: street_actions, image_size: 48, clip: {frames: 11, stride: 1, flow: {}}}
model: {name: two_stream, fusion: average}
objective: {metric: val/loss, direction: minimize}
search:
  tree:
    - stage: first
      vary: {model.dropout: [0.5, 0.9]}
"""


def of_constant(names: str, models: str = "constant") -> str:
    return f"{names} has no effect on model {models}, which learns by no gradients; remove it"


@pytest.mark.parametrize(
    ("vary", "place", "names"),
    [
        ("training.clip_gradients: [null, 1.0]", "training.clip_gradients", "clip_gradients"),
        ("training.warmup: [null, {epochs: 1}]", "training.warmup", "warmup"),
        ("training.batch_size: [4, 8]", "training.batch_size", "batch_size"),
        ("training: [{epochs: 2}, {learning_rate: 1e-2}]", "training", "epochs, learning_rate"),
    ],
)
def test_a_stage_of_a_reference_alone_compares_no_training(
    vary: str, place: str, names: str, problems: Heads
) -> None:
    (found,) = problems(REFERENCE.replace(SIZES, f"vary: {{{vary}}}"))
    assert found.endswith(f"search.tree.0.vary.{place}: {of_constant(names)}")


def test_a_stage_holds_no_training_of_a_reference(problems: Heads) -> None:
    (found,) = problems(REFERENCE.replace(SIZES, f"{SIZES}\n      with: {{training.epochs: 3}}"))
    assert found.endswith(f"search.tree.0.with.training.epochs: {of_constant('epochs')}")


def test_a_joint_search_of_references_compares_no_training(problems: Heads) -> None:
    joint = """\
  joint:
    space: {model: [{name: constant}, {name: otsu}], training.learning_rate: [1e-3, 1e-2]}
    trials: 4
"""
    (found,) = problems(REFERENCE.partition("  tree:")[0] + joint)
    assert found.endswith(of_constant("learning_rate", "constant or otsu"))


def test_the_base_of_references_alone_has_no_training(problems: Heads, load: Heads) -> None:
    given = REFERENCE.replace("objective:", "training: {epochs: 2, batch_size: 2}\nobjective:")
    (found,) = problems(given)
    assert found == f"5:12: training.epochs: {of_constant('epochs')}"
    load(given.replace("epochs: 2, ", ""))  # how many images are read at once
    load(given.replace("epochs: 2", "loss: dice"))  # it is reported of a reference too


def test_training_of_networks_stands_beside_references(load: Heads) -> None:
    base = REFERENCE.replace("objective:", "training: {epochs: 2}\nobjective:")
    below = "    - stage: rate\n      vary: {training.learning_rate: [1e-3, 1e-2]}\n"
    load(base.replace("\n    - stage: first", NETWORKS.rstrip() + "\n    - stage: first") + below)


def test_training_is_not_compared_before_there_is_a_network(problems: Heads) -> None:
    rates = REFERENCE.replace(SIZES, "vary: {training.learning_rate: [1e-3, 1e-2]}")
    (found,) = problems(rates + NETWORKS.lstrip("\n"))
    assert found.endswith(of_constant("learning_rate"))


def test_every_reference_says_what_it_ignores() -> None:
    references = [each for each in MODELS.values() if each.trainer == "models.references:train"]
    assert len(references) == 3
    assert all(each.idle_training == IDLE_WITHOUT_GRADIENTS for each in references)
    assert "loss" not in IDLE_WITHOUT_GRADIENTS
    assert "border_weight" not in IDLE_WITHOUT_GRADIENTS


@pytest.mark.parametrize(
    ("metric", "reason"),
    [("loss", "is the streams' own"), ("log_loss", "would be of margins")],
)
def test_an_svm_is_not_chosen_by_a_loss(
    metric: str, reason: str, problems: Heads, load: Heads
) -> None:
    study = ACTIONS.replace("val/loss", f"val/{metric}")
    load(study)
    message = f"must be chosen by another metric than val/{metric}, which {reason}"
    (found,) = problems(study.replace("fusion: average", "fusion: svm"))
    assert ": objective.metric: " in found
    assert message in found
    (found,) = problems(study.replace("dropout: [0.5, 0.9]", "fusion: [average, svm]"))
    assert ": search.tree.0.vary.model.fusion.1: " in found
    assert message in found
    load(study.replace(f"val/{metric}, direction: minimize", "val/top1").replace("average", "svm"))
