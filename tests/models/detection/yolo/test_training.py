"""What all versions must bear: odd targets, batches of different images, mixed precision."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from models.catalog import MODELS
from models.class_rows import HasClassRows
from models.detection.outputs import Scored, Target, Targets
from models.resolve import resolve

SMALL: dict[str, dict[str, Any]] = {
    "yolov1": {"width": 0.05, "grid": 2},
    "yolov2": {"width": 0.1, "priors": ((0.5, 0.5), (1.0, 1.0))},
    "yolov3": {"width": 0.1, "priors": ((10, 10), (20, 20), (40, 40))},
    "yolov3_tiny": {"width": 0.1, "priors": ((10, 10), (20, 20))},
}
ANY_SIZE = ["yolov2", "yolov3", "yolov3_tiny"]
SIDE = 128
CLASSES = 2
Make = Callable[..., Any]


def built(name: str, classes: int = CLASSES, **settings: Any) -> nn.Module:
    torch.manual_seed(0)
    entry = MODELS[name]
    given = entry.settings.model_validate({"name": name, **SMALL[name], **settings})
    network: nn.Module = resolve(str(entry.builder))(given, classes + 1)
    return network


def trained_a_step(
    network: nn.Module, images: list[Tensor], targets: Targets
) -> dict[str, Tensor]:
    optimizer = torch.optim.SGD(network.parameters(), 1e-5)
    losses: dict[str, Tensor] = network.train()(images, targets).losses
    torch.autograd.backward(torch.stack(list(losses.values())).sum())
    optimizer.step()
    return losses


def awake(network: nn.Module, images: list[Tensor]) -> nn.Module:
    """Return a network that knows how images are distributed, in evaluation mode."""
    with torch.no_grad():
        for _ in range(30):
            network.train()(images, Targets([no_objects()] * len(images)))
    return network.eval()


def no_objects() -> Target:
    return {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}


@pytest.mark.parametrize("name", SMALL)
class TestOddTargets:
    @pytest.mark.parametrize("kind", ["none", "three hundred", "one pixel", "whole image", "edge"])
    def test_are_trained_on_and_scored(
        self, name: str, kind: str, objects: Make, batch: Make
    ) -> None:
        generator = torch.Generator().manual_seed(1)
        corners = torch.rand(300, 2, generator=generator) * 100
        many: Target = {
            "boxes": torch.cat((corners, corners + 1 + corners.flip(0) / 5), dim=1),
            "labels": 1 + torch.arange(300) % CLASSES,
        }
        target = {
            "none": no_objects(),
            "three hundred": many,
            "one pixel": objects((5, 5, 6, 6)),
            "whole image": objects((0, 0, SIDE, SIDE)),
            "edge": objects((SIDE - 1, SIDE - 1, SIDE, SIDE), (0, 0, 1, SIDE)),
        }[kind]
        network, (images, targets) = built(name), batch(SIDE, target, target)
        losses = trained_a_step(network, images, targets)
        assert all(loss.isfinite() for loss in losses.values())
        assert all(value.isfinite().all() for value in network.state_dict().values())
        with torch.no_grad():
            scored = network.eval()(images, targets)
        assert all(loss.isfinite().all() for loss in scored.losses.values())

    def test_only_objectness_is_learnt_from_images_without_objects(
        self, name: str, batch: Make
    ) -> None:
        images, targets = batch(SIDE, no_objects())
        losses = built(name).train()(images, targets).losses
        assert float(losses["loss_box_reg"].detach()) == 0.0
        assert float(losses["loss_classifier"].detach()) == 0.0
        assert float(losses["loss_objectness"].detach()) > 0.0


@pytest.mark.parametrize("name", SMALL)
def test_losses_of_a_batch_are_means_over_its_images(
    name: str, objects: Make, batch: Make
) -> None:
    network = built(name)
    images, targets = batch(SIDE, objects((4, 6, 40, 44)), no_objects(), objects((9, 9, 99, 50)))
    network = awake(network, images)
    with torch.no_grad():
        scored = network(images, targets)
        alone = [
            network([each], Targets([target]))
            for each, target in zip(images, targets.of_images, strict=True)
        ]
        network.train()
        for module in network.modules():
            if not isinstance(module, type(network)):
                module.eval()  # dropout and normalisation as in scoring
        together = network(images, targets)
    assert isinstance(scored, Scored)
    for key, values in scored.losses.items():
        torch.testing.assert_close(
            values, torch.cat([each.losses[key] for each in alone]), rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(together.losses[key], values.mean(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ANY_SIZE)
def test_larger_image_of_a_batch_adds_no_places_to_a_smaller_one(name: str, objects: Make) -> None:
    network = built(name, score_threshold=0.0)
    small, large = torch.zeros(3, 64, 70), torch.zeros(3, 128, 160)
    network.eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.zero_()  # so that what lies beside an image says nothing of it
        targets = Targets([objects((4, 6, 40, 44)), objects((4, 6, 40, 44))])
        together = network([small, large], targets)
        alone = network([small], Targets(targets.of_images[:1]))
    for key, values in together.losses.items():
        torch.testing.assert_close(values[:1], alone.losses[key])
    for part in ("boxes", "scores"):
        torch.testing.assert_close(together.detections[0][part], alone.detections[0][part])
    assert float(together.detections[0]["boxes"][:, 2].max()) <= 70


@pytest.mark.parametrize("name", SMALL)
def test_detections_lie_in_the_image_and_have_known_classes(name: str, batch: Make) -> None:
    images, _ = batch(SIDE, no_objects(), no_objects())
    network = awake(built(name, score_threshold=0.0), images)
    with torch.no_grad():
        found = network(images)
    for detection in found:
        assert 0 < len(detection["scores"]) <= 100
        assert (detection["scores"].diff() <= 0).all()
        assert detection["scores"].max() <= 1
        assert detection["boxes"].min() >= 0
        assert detection["boxes"].max() <= SIDE
        assert set(detection["labels"].tolist()) <= {1, 2}


@pytest.mark.parametrize("name", SMALL)
def test_boxes_are_computed_in_full_precision_in_mixed_precision_too(
    name: str, objects: Make, batch: Make
) -> None:
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    network = built(name, score_threshold=0.0)
    images, targets = batch(SIDE, objects((4.125, 6.0, 40.0, 44.0078125)))
    wrapped = fabric.setup_module(network)
    losses = wrapped(images, targets).losses
    assert {value.dtype for value in losses.values()} == {torch.float32}
    assert all(value.isfinite() for value in losses.values())


@pytest.mark.parametrize("name", SMALL)
def test_same_seed_gives_the_same_bits_after_a_step(name: str, objects: Make, batch: Make) -> None:
    states = []
    for _ in range(2):
        network = built(name)
        torch.manual_seed(7)
        trained_a_step(network, *batch(SIDE, objects((4, 6, 40, 44)), no_objects()))
        states.append(network.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize(
    ("name", "layers"), [("yolov1", 1), ("yolov2", 1), ("yolov3", 3), ("yolov3_tiny", 2)]
)
def test_rows_of_a_class_are_those_that_another_class_adds(name: str, layers: int) -> None:
    smaller, larger = built(name), built(name, CLASSES + 1)
    assert isinstance(smaller, HasClassRows)
    assert len(smaller.class_rows) == layers
    shapes = {key: value.shape for key, value in smaller.state_dict().items()}
    of_other_shape = {
        key.rpartition(".")[0]
        for key, value in larger.state_dict().items()
        if value.shape != shapes[key]
    }
    assert of_other_shape == {each.layer for each in smaller.class_rows}
    for each in smaller.class_rows:
        rows = smaller.get_submodule(each.layer).get_parameter("bias").shape[0]
        assert rows == each.repeats * (each.fixed + each.per_class * CLASSES)
        assert not each.has_background


@pytest.mark.parametrize("name", SMALL)
def test_rows_of_a_class_decide_over_its_score_alone(name: str, batch: Make) -> None:
    """A class whose rows are the other's scores what that scores."""
    images, _ = batch(SIDE, no_objects())
    network = awake(built(name, score_threshold=0.0, nms=1.0, candidates=100_000), images)
    assert isinstance(network, HasClassRows)
    with torch.no_grad():
        for each in network.class_rows:
            layer = network.get_submodule(each.layer)
            for part in ("weight", "bias"):
                rows = layer.get_parameter(part).unflatten(0, (each.repeats, -1))  # type: ignore[no-untyped-call]
                rows[:, each.fixed + 1] = rows[:, each.fixed]
        (found,) = network(images)
    scores = [found["scores"][found["labels"] == label] for label in (1, 2)]
    common = min(len(each) for each in scores)
    assert common > 1
    torch.testing.assert_close(scores[0][:common], scores[1][:common])
