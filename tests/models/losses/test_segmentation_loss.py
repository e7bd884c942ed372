"""The loss and the weights of pixels that a study's settings ask for."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from data_pipeline.samples import SegmentationBatch
from models.losses import (
    IGNORE,
    binary_cross_entropy,
    cross_entropy,
    sigmoid_focal,
    softmax_focal,
)
from models.losses.border_weights import border_weights
from models.losses.segmentation_loss import SegmentationLoss
from models.segmentation.outputs import WithAuxiliary
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.segmentation import SegmentationTask
from models.workbench import set_up

NAMES = ("background", "cell", "dirt")


def training(**settings: Any) -> TrainingSettings:
    return TrainingSettings.model_validate(settings)


def task(names: tuple[str, ...] = NAMES, **settings: Any) -> SegmentationTask:
    return SegmentationTask(training(**settings), EvaluationSettings(), names)


class TwoHeads(nn.Module):
    """Gives prepared logits, and while it is trained those of a second head."""

    def __init__(self, logits: Tensor, auxiliary: Tensor | None, weight: float = 0.4) -> None:
        super().__init__()
        self.logits, self.auxiliary, self.weight = nn.Parameter(logits), auxiliary, weight

    def forward(self, images: Tensor) -> Tensor | WithAuxiliary:  # noqa: ARG002
        if self.training and self.auxiliary is not None:
            return WithAuxiliary(self.logits, self.auxiliary, self.weight)
        return self.logits


@pytest.fixture
def masks() -> Tensor:
    masks = torch.zeros(2, 12, 12, dtype=torch.uint8)
    masks[0, 2:5, 1:5] = masks[0, 2:5, 7:11] = masks[1, 1:4, 1:4] = masks[1, 6:11, 1:6] = 1
    masks[1, 9:, 9:] = 2
    masks[0, 11] = IGNORE
    return masks


@pytest.fixture
def outputs() -> Tensor:
    return torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def batch(masks: Tensor) -> SegmentationBatch:
    return SegmentationBatch(("a", "b"), torch.zeros(2, 3, 12, 12, dtype=torch.uint8), masks)


def test_focal_loss_has_the_gamma_and_alpha_of_the_study(outputs: Tensor, masks: Tensor) -> None:
    loss = SegmentationLoss(training(loss="focal", focal_gamma=3, focal_alpha=0.3), NAMES)
    expected = sigmoid_focal(outputs[:, 1:], masks, first_label=1, gamma=3, alpha=0.3)
    assert torch.equal(loss(outputs[:, 1:], masks, None), expected)
    plain = SegmentationLoss(training(loss="softmax_focal"), NAMES)
    assert torch.equal(plain(outputs, masks, None), softmax_focal(outputs, masks, gamma=2))


def test_pixel_weighs_what_its_true_class_weighs(outputs: Tensor, masks: Tensor) -> None:
    settings = training(loss="cross_entropy", class_weights={"cell": 4, "dirt": 0.5})
    loss = SegmentationLoss(settings, NAMES)
    weights = torch.ones(2, 12, 12)
    weights[masks == 1], weights[masks == 2] = 4, 0.5
    assert loss.class_weights == {"background": 1, "cell": 4, "dirt": 0.5}
    expected = cross_entropy(outputs, masks, weights=weights)
    torch.testing.assert_close(loss(outputs, masks, None), expected)


@pytest.mark.parametrize("loss", ["bce", "cross_entropy"])
@pytest.mark.parametrize("class_weights", [None, {"background": 0.2}])
def test_border_weights_are_added_to_those_of_the_classes(
    loss: str, class_weights: dict[str, float] | None, masks: Tensor, batch: SegmentationBatch
) -> None:
    outputs = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    border = {"of": "cell", "w0": 5, "sigma": 2}
    subject = task(loss=loss, class_weights=class_weights, border_weight=border)
    weights = border_weights(masks, 1, w0=5, sigma=2)
    assert weights.max() > 1
    weights = weights + torch.where(masks == 0, (class_weights or {}).get("background", 1.0), 1.0)
    if loss == "bce":
        outputs = outputs[:, 1:]
        expected = binary_cross_entropy(outputs, masks, first_label=1, weights=weights)
    else:
        expected = cross_entropy(outputs, masks, weights=weights)
    network = TwoHeads(outputs, None)
    torch.testing.assert_close(subject.decide(network, batch).losses, expected)
    moved = subject.to_device(batch, torch.device("cpu"))
    torch.testing.assert_close(subject.decide(network, moved).losses, expected)


def test_border_is_that_of_the_whole_label_map(
    outputs: Tensor, masks: Tensor, batch: SegmentationBatch
) -> None:
    subject = task(loss="cross_entropy", border_weight={"of": "cell"})
    inner = (slice(None), slice(4, 8), slice(4, 8))
    weights = border_weights(masks, 1, w0=10, sigma=5)[inner]
    alone = border_weights(masks[inner].contiguous(), 1, w0=10, sigma=5)
    assert weights[1].any()
    assert not alone[1].any()  # of the two cells of the second image, one is outside
    small = outputs[:, :, 4:8, 4:8]
    expected = cross_entropy(small, masks[inner], weights=1 + weights)
    torch.testing.assert_close(subject.decide(TwoHeads(small, None), batch).losses, expected)


def test_objects_are_of_the_one_class_where_none_is_named(masks: Tensor) -> None:
    loss = SegmentationLoss(training(border_weight={}), ("background", "cell"))
    border = loss.border(masks)
    assert border is not None
    assert torch.equal(border, border_weights(masks, 1, w0=10, sigma=5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"class_weights": {"cel": 2}},
            r"training.class_weights must name classes of the data \(background, cell, dirt\), "
            "got 'cel'",
        ),
        ({"border_weight": {"of": "cel"}}, "training.border_weight.of must name .* got 'cel'"),
        (
            {"border_weight": {}},
            "training.border_weight must name the class of the objects under `of`, for there are "
            "2: cell, dirt",
        ),
    ],
)
def test_class_that_is_not_there_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SegmentationLoss(training(**settings), NAMES)


def test_softmax_over_one_label_is_refused() -> None:
    with pytest.raises(ValueError, match="'lovasz_softmax' needs two labels to choose from"):
        task(("cell",), loss="lovasz_softmax")


@pytest.mark.parametrize("loss", ["bce", "softmax_dice"])
def test_auxiliary_loss_is_added_in_training_alone(
    loss: str, outputs: Tensor, masks: Tensor, batch: SegmentationBatch
) -> None:
    subject = task(loss=loss)
    outputs = outputs[:, 1:] if loss == "bce" else outputs
    second = outputs.flip(1)[:, :, 2:10, 2:10]  # of another size
    network = TwoHeads(outputs, second, 0.4)
    main = subject.loss(outputs, masks, None)
    added = 0.4 * subject.loss(second, masks[:, 2:10, 2:10], None)
    decisions = subject.decide(network, batch)
    torch.testing.assert_close((decisions.losses, decisions.auxiliary), (main, added))
    assert decisions.probabilities.shape == outputs.shape
    step = subject.training_step(network, batch)
    torch.testing.assert_close(step.loss, (main + added).mean())
    decisions = subject.decide(network.eval(), batch)
    torch.testing.assert_close(decisions.losses, main)
    assert decisions.auxiliary is None


def test_auxiliary_logits_pass_through_mixed_precision(attempts: Any, masks: Tensor) -> None:
    bench: Any = set_up(attempts(training={"precision": "bf16-mixed"}).session())
    logits = torch.randn(2, 2, 12, 12, generator=torch.Generator().manual_seed(0))
    network = bench.fabric.setup_module(TwoHeads(logits, 2 * logits, 0.25))
    images = torch.zeros(2, 3, 12, 12, dtype=torch.uint8)
    decisions = bench.task.decide(network, SegmentationBatch(("a", "b"), images, masks))
    loss = bench.task.loss
    expected = loss(logits, masks, None), 0.25 * loss(2 * logits, masks, None)
    torch.testing.assert_close((decisions.losses, decisions.auxiliary), expected)
