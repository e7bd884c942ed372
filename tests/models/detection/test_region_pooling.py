import pytest
import torch
from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign, roi_align  # type: ignore[import-untyped]

from models.detection.mask_rcnn import build_mask_rcnn
from models.detection.outputs import Target, Targets
from models.detection.region_pooling import (
    LEVELS,
    RegionPooling,
    kernels_as_built,
    roi_align_by_products,
)
from models.detection.settings import MaskRCNNSettings


def boxes(count: int, side: float, seed: int = 0) -> Tensor:
    """Draw boxes, some of them reaching over the border or of next to no size."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 4, generator=generator) * side * 1.3 - side * 0.15
    low, high = torch.minimum(corners[:, :2], corners[:, 2:]), corners.max(dim=1).values
    made = torch.cat([low, torch.maximum(corners[:, :2], corners[:, 2:])], dim=1)
    made[0, 2:] = made[0, :2] + 1e-3
    made[1] = torch.tensor([0.0, 0.0, side, side])
    assert high.isfinite().all()
    return made


@pytest.mark.parametrize("scale", [1.0, 0.25])
@pytest.mark.parametrize("side", [7, 14])
def test_products_equal_torchvisions_kernel(scale: float, side: int) -> None:
    features = torch.randn(5, 19, 23, generator=torch.Generator().manual_seed(1))
    regions = boxes(200, 20 / scale)
    expected = roi_align(
        features[None], [regions], side, spatial_scale=scale, sampling_ratio=2, aligned=False
    )
    ours = roi_align_by_products(features, regions, scale, side)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_gradients_of_products_equal_torchvisions() -> None:
    features = torch.randn(3, 16, 16, requires_grad=True)
    regions, weights = boxes(50, 64.0), torch.randn(50, 3, 7, 7)
    pooled = (
        roi_align_by_products(features, regions, 0.25, 7),
        roi_align(features[None], [regions], 7, spatial_scale=0.25, sampling_ratio=2),
    )
    ours, theirs = (torch.autograd.grad((p * weights).sum(), features)[0] for p in pooled)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def pyramid(side: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    return {
        name: torch.randn(2, 4, side >> (2 + level), side >> (2 + level), generator=generator)
        for level, name in enumerate(LEVELS)
    }


def test_regions_of_a_pyramid_are_pooled_in_order_either_way() -> None:
    regions = [boxes(30, 480.0, seed=3).clamp(0, 512), boxes(20, 100.0, seed=4).clamp(0, 512)]
    pooling, maps, sizes = RegionPooling(7), pyramid(512), [(512, 512)] * 2
    usual = pooling(maps, regions, sizes)
    theirs = MultiScaleRoIAlign(list(LEVELS), 7, 2)(maps, regions, sizes)
    pooling.is_by_products = True
    assert torch.equal(usual, theirs)
    torch.testing.assert_close(pooling(maps, regions, sizes), usual, rtol=1e-4, atol=1e-4)


def test_no_region_is_no_output_either_way() -> None:
    pooling, nothing = RegionPooling(14), [torch.zeros(0, 4)] * 2
    for pooling.is_by_products in (False, True):
        assert pooling(pyramid(64), nothing, [(64, 64)] * 2).shape == (0, 4, 14, 14)


def test_scales_do_not_depend_on_how_much_an_image_was_padded() -> None:
    """An image of 65 pixels is padded to 96, from which torchvision infers half the scale."""
    regions, maps = [torch.tensor([[8.0, 8.0, 40.0, 40.0]])] * 2, pyramid(96)
    inferred = MultiScaleRoIAlign(list(LEVELS), 7, 2)
    inferred(maps, regions, [(65, 65)] * 2)
    assert inferred.scales == [0.5, 0.25, 0.125, 0.0625]
    expected = roi_align(maps["0"], regions, 7, spatial_scale=0.25, sampling_ratio=2)
    assert torch.equal(RegionPooling(7)(maps, regions, [(65, 65)] * 2), expected)


@pytest.mark.parametrize("is_asked", [True, False])
def test_determinism_is_asked_for_again_after_a_failure(is_asked: bool) -> None:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(is_asked, warn_only=is_asked)

    def fail() -> None:
        with kernels_as_built([], torch.device("cpu")):
            assert not torch.are_deterministic_algorithms_enabled()
            raise KeyError

    try:
        with pytest.raises(KeyError):
            fail()
        assert torch.are_deterministic_algorithms_enabled() == is_asked
        assert torch.is_deterministic_algorithms_warn_only_enabled() == is_asked
    finally:
        torch.use_deterministic_algorithms(before)


@pytest.mark.parametrize(
    ("is_asked", "device", "is_by_products"),
    [(True, "cuda", True), (True, "cpu", False), (False, "cuda", False)],
)
def test_products_are_for_gpus_where_determinism_is_asked_for(
    is_asked: bool, device: str, is_by_products: bool
) -> None:
    pooling, before = RegionPooling(7), torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(is_asked)
    try:
        with kernels_as_built([pooling], torch.device(device)):
            assert pooling.is_by_products is is_by_products
    finally:
        torch.use_deterministic_algorithms(before)


@pytest.mark.gpu
def test_gradients_are_the_same_on_every_run_of_a_gpu() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        features = torch.randn(64, 100, 100, device="cuda", requires_grad=True)
        regions = boxes(300, 400.0).cuda()
        weights = torch.randn(300, 64, 7, 7, device="cuda")
        gradients = [
            torch.autograd.grad(
                (roi_align_by_products(features, regions, 0.25, 7) * weights).sum(), features
            )[0]
            for _ in range(5)
        ]
        assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.gpu
def test_detector_trains_the_same_twice_on_a_gpu() -> None:
    """Every backward pass is checked: one without a deterministic kernel would raise."""
    torch.use_deterministic_algorithms(True)
    try:
        masks = torch.zeros(1, 128, 128, dtype=torch.bool, device="cuda")
        masks[0, 20:90, 30:100] = True
        found: Target = {
            "boxes": torch.tensor([[30.0, 20.0, 100.0, 90.0]], device="cuda"),
            "labels": torch.ones(1, dtype=torch.int64, device="cuda"),
            "masks": masks,
        }
        gradients = []
        for _ in range(2):
            torch.manual_seed(0)
            network = build_mask_rcnn(MaskRCNNSettings(backbone="resnet18"), 2).cuda()
            losses = network([torch.rand(3, 128, 128).cuda()], Targets([found]))
            torch.autograd.backward(torch.stack(list(losses.values())).sum())
            gradients.append([weights.grad for weights in network.parameters()])
        assert all(
            torch.equal(one, other)
            for one, other in zip(*gradients, strict=True)
            if one is not None and other is not None
        )
    finally:
        torch.use_deterministic_algorithms(False)
