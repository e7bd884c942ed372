import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection.roi_heads import fastrcnn_loss  # type: ignore[import-untyped]
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from models.detection.region_heads import RegionHeads, Sampled, region_losses
from models.detection.region_pooling import RegionPooling
from models.detection.region_settings import RegionSettings


def sampled(*labels: list[int]) -> Sampled:
    """Regions of images with these labels; boxes and matches play no part in the loss."""
    generator = torch.Generator().manual_seed(7)
    deltas = [torch.randn(len(each), 4, generator=generator) for each in labels]
    return Sampled(
        [torch.zeros(len(each), 4) for each in labels],
        [torch.zeros(len(each), dtype=torch.long) for each in labels],
        [torch.tensor(each, dtype=torch.long) for each in labels],
        deltas,
    )


def predicted(regions: int, classes: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(8)
    return (
        torch.randn(regions, classes, generator=generator),
        torch.randn(regions, 4 * classes, generator=generator),
    )


class TestLosses:
    def test_of_as_many_regions_in_each_image_they_are_torchvisions(self) -> None:
        regions = sampled([0, 1, 2, 0], [2, 2, 0, 1])
        logits, deltas = predicted(8, 3)
        losses, _ = region_losses(logits, deltas, regions)
        classes, boxes = fastrcnn_loss(logits, deltas, regions.labels, regions.deltas)
        torch.testing.assert_close(losses["loss_classifier"], classes)
        torch.testing.assert_close(losses["loss_box_reg"], boxes)

    def test_they_are_a_mean_over_images_however_many_regions_each_has(self) -> None:
        regions = sampled([0, 1, 2, 0, 1], [2])
        logits, deltas = predicted(6, 3)
        both, _ = region_losses(logits, deltas, regions)
        alone = []
        for index, part in enumerate((slice(0, 5), slice(5, 6))):
            one = Sampled(*([each[index]] for each in regions))
            alone.append(region_losses(logits[part], deltas[part], one)[0])
        for name, value in both.items():
            torch.testing.assert_close(value, (alone[0][name] + alone[1][name]) / 2)

    @pytest.mark.parametrize("labels", [[], [0, 0]])
    def test_images_without_objects_or_regions_have_finite_ones(self, labels: list[int]) -> None:
        logits, deltas = (each.requires_grad_() for each in predicted(len(labels), 3))
        losses, measures = region_losses(logits, deltas, sampled(labels))
        assert float(losses["loss_box_reg"].detach()) == 0.0
        torch.autograd.backward(losses["loss_classifier"] + losses["loss_box_reg"])
        assert logits.grad is not None
        assert logits.grad.isfinite().all()
        assert measures["box_mse"].tolist() == [0.0, 0.0]
        assert float(measures["region_accuracy"][1]) == len(labels)


class TestMeasures:
    def test_accuracy_counts_regions_whose_likeliest_class_is_right(self) -> None:
        logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0]])
        _, measures = region_losses(logits, torch.zeros(3, 8), sampled([0, 1, 1]))
        assert measures["region_accuracy"].tolist() == [2.0, 3.0]

    def test_box_error_is_that_of_the_true_classs_outputs_of_objects_alone(self) -> None:
        regions = sampled([0, 2])
        regions.deltas[0][1] = torch.tensor([1.0, 2.0, 3.0, 4.0])
        deltas = torch.full((2, 12), 100.0)
        deltas[1, 8:] = torch.tensor([1.0, 4.0, 3.0, 0.0])  # off by 0, 2, 0 and 4
        _, measures = region_losses(torch.zeros(2, 3), deltas, regions)
        assert measures["box_mse"].tolist() == [(4 + 16) / 4, 1.0]


def heads(**settings: float) -> RegionHeads:
    return RegionHeads(
        RegionSettings.model_validate(settings),
        pooling=RegionPooling(7),
        head=nn.Identity(),
        predictor=nn.Identity(),
    )


def random_boxes(count: int, generator: np.random.Generator) -> Tensor:
    corners = generator.uniform(0, 40, (count, 2))
    sides = generator.uniform(1, 40, (count, 2))
    return torch.from_numpy(np.hstack([corners, corners + sides])).float()


def iou(one: list[float], other: list[float]) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, across) * max(0.0, down)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def test_regions_are_matched_as_written_in_a_thousand_random_cases() -> None:
    """The box of highest IoU, from foreground_iou on; background in [least, background_iou)."""
    generator = np.random.default_rng(0)
    for _ in range(1000):
        least, below, above = np.sort(generator.uniform(0.05, 0.7, 3))
        network = heads(least_background_iou=least, background_iou=below, foreground_iou=above)
        regions, true = random_boxes(6, generator), random_boxes(3, generator)
        classes = torch.from_numpy(generator.integers(1, 5, 3))
        matched, labels = network.assign_targets_to_proposals([regions], [true], [classes])
        for index, region in enumerate(regions.tolist()):
            values = [iou(region, box) for box in true.tolist()]
            best = int(np.argmax(values))
            expected = -1
            if values[best] >= above:
                expected = int(classes[best])
                assert int(matched[0][index]) == best
            elif least <= values[best] < below:
                expected = 0
            assert int(labels[0][index]) == expected, (values, least, below, above)


class TestHardNegatives:
    def test_background_that_touches_no_object_is_not_sampled(self) -> None:
        network = heads(least_background_iou=0.1, sampled_regions=64)
        true = torch.tensor([[0.0, 0.0, 20.0, 20.0]])
        generator = np.random.default_rng(1)
        regions = random_boxes(200, generator)
        boxes, _, labels, _ = network.select_training_samples(
            [regions], [{"boxes": true, "labels": torch.tensor([1])}]
        )
        best = box_iou(boxes[0], true)[:, 0]
        assert set(labels[0].tolist()) == {0, 1}
        assert (best[labels[0] == 0] >= 0.1).all()
        assert (best[labels[0] == 0] < 0.5).all()

    def test_an_image_without_objects_gives_as_many_regions_as_any(self) -> None:
        network = heads(least_background_iou=0.1, sampled_regions=64)
        regions = random_boxes(200, np.random.default_rng(1))
        nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long)}
        _, _, labels, _ = network.select_training_samples([regions], [nothing])
        assert labels[0].tolist() == [0] * 64


def test_two_regions_of_an_image_are_an_object_and_background() -> None:
    """The thesis's number of RoIs, half of them objects."""
    network = heads(sampled_regions=2, foreground_share=0.5)
    true = torch.tensor([[0.0, 0.0, 20.0, 20.0]])
    regions = random_boxes(50, np.random.default_rng(3))
    _, _, labels, _ = network.select_training_samples(
        [regions], [{"boxes": true, "labels": torch.tensor([4])}]
    )
    assert sorted(labels[0].tolist()) == [0, 4]


def test_box_targets_are_scaled_by_the_weights() -> None:
    """As the thesis's code scales them: 8, 8, 4, 4."""
    network = heads()
    network_of_thesis = heads_with_weights(8.0, 8.0, 4.0, 4.0)
    region, true = torch.tensor([[0.0, 0.0, 10.0, 20.0]]), torch.tensor([[2.0, 0.0, 12.0, 40.0]])
    expected = torch.tensor([[8 * 0.2, 8 * 0.5, 0.0, 4 * math.log(2)]])
    torch.testing.assert_close(network_of_thesis.box_coder.encode_single(true, region), expected)
    assert network.box_coder.weights == (10.0, 10.0, 5.0, 5.0)


def heads_with_weights(*weights: float) -> RegionHeads:
    return RegionHeads(
        RegionSettings.model_validate({"box_weights": weights}),
        pooling=RegionPooling(7),
        head=nn.Identity(),
        predictor=nn.Identity(),
    )
