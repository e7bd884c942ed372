from collections.abc import Callable
from itertools import product
from typing import Literal

import pytest
import torch
from torch import Tensor
from torchvision.ops import (  # type: ignore[import-untyped]
    MultiScaleRoIAlign,
    roi_align,
    roi_pool,
)
from torchvision.ops.poolers import LevelMapper  # type: ignore[import-untyped]

from models.detection.mask_rcnn import build_mask_rcnn
from models.detection.outputs import Target, Targets
from models.detection.region_pooling import (
    LEVELS,
    RegionPooling,
    kernels_as_built,
    roi_align_by_products,
    roi_pool_by_gathering,
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


@pytest.mark.parametrize("kind", ["roi_align", "roi_pool"])
def test_no_region_is_no_output_either_way(kind: Literal["roi_align", "roi_pool"]) -> None:
    pooling, nothing = RegionPooling(14, kind=kind), [torch.zeros(0, 4)] * 2
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


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_gathered_maxima_and_their_gradients_are_torchvisions(scale: float) -> None:
    features = torch.randn(5, 19, 23, requires_grad=True)
    regions, weights = boxes(200, 20 / scale), torch.randn(200, 5, 7, 7)
    theirs = roi_pool(features[None], [regions], 7, spatial_scale=scale)
    ours = roi_pool_by_gathering(features, regions, scale, 7)
    assert torch.equal(ours, theirs)
    gradients = [
        torch.autograd.grad((pooled * weights).sum(), features)[0] for pooled in (ours, theirs)
    ]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-4)


def test_maxima_are_of_whole_pixels_of_whole_bins() -> None:
    """Worked by hand: from 0.6 to 2.6 is rounded to pixels 1 to 3, in bins of 1.5 pixels."""
    features = torch.arange(16.0).view(1, 4, 4)
    region = torch.tensor([[0.6, 0.6, 2.6, 2.6]])
    (pooled,) = roi_pool_by_gathering(features, region, 1.0, 2)
    assert pooled.tolist() == [[[10.0, 11.0], [14.0, 15.0]]]


def test_maxima_of_a_pyramid_are_taken_from_the_level_that_a_region_suits() -> None:
    regions = [boxes(30, 480.0, seed=3).clamp(0, 512), boxes(20, 100.0, seed=4).clamp(0, 512)]
    pooling, maps = RegionPooling(7, kind="roi_pool"), pyramid(512)
    pooled = pooling(maps, regions, [(512, 512)] * 2)
    levels = LevelMapper(2, 5)(regions)
    for index, region in enumerate(torch.cat(regions)):
        name, image = str(int(levels[index])), int(index >= 30)
        scale = 2.0 ** -(2 + int(levels[index]))
        one = roi_pool(maps[name][image : image + 1], [region[None]], 7, spatial_scale=scale)
        assert torch.equal(pooled[index], one[0])


class TestLectures:
    """What the lectures say of RoIAlign and RoIPool."""

    def interpolated(self, features: Tensor, x: float, y: float) -> float:
        """f_xy = sum over i, j of f_ij max(0, 1 - |x - x_i|) max(0, 1 - |y - y_j|)."""
        return sum(
            float(features[j, i]) * max(0.0, 1 - abs(x - i)) * max(0.0, 1 - abs(y - j))
            for j in range(features.shape[0])
            for i in range(features.shape[1])
        )

    def test_a_bin_is_the_mean_of_four_interpolated_points(self) -> None:
        """Worked by hand: 1.8125, 2.4375, 2.9375 and 3.8125 at a quarter and three quarters."""
        features = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
        places = (0.25, 0.75)
        points = [self.interpolated(features, x, y) for y in places for x in places]
        assert points == [1.8125, 2.4375, 2.9375, 3.8125]
        region, maps = torch.tensor([[0.0, 0.0, 1.0, 1.0]]), features[None]
        assert float(roi_align_by_products(maps, region, 1.0, 1)) == 2.75
        assert float(RegionPooling(1, levels=["0"], first_level=0)(
            {"0": maps[None]}, [region], [(2, 2)]
        )) == 2.75  # fmt: skip

    def test_every_bin_follows_the_formula(self) -> None:
        features = torch.randn(12, 15, generator=torch.Generator().manual_seed(6))
        left, top, right, bottom = 1.3, 2.2, 11.7, 8.9
        (((pooled,),)) = roi_align_by_products(
            features[None], torch.tensor([[left, top, right, bottom]]), 1.0, 7
        )
        for row, column in product(range(7), repeat=2):
            points = [
                self.interpolated(
                    features,
                    left + (column + across) * (right - left) / 7,
                    top + (row + down) * (bottom - top) / 7,
                )
                for down, across in product((0.25, 0.75), repeat=2)
            ]
            assert float(pooled[row, column]) == pytest.approx(sum(points) / 4, abs=1e-5)

    @pytest.mark.parametrize("is_by_products", [False, True])
    def test_a_linear_ramp_is_reproduced_by_align_and_not_by_pool(
        self, is_by_products: bool
    ) -> None:
        across, down = torch.arange(32.0), torch.arange(24.0)[:, None]
        ramp, region = 2.0 * across + 3.0 * down, torch.tensor([[3.0, 2.0, 20.0, 16.0]])
        centres_x = 3 + (torch.arange(7) + 0.5) * 17 / 7
        centres_y = 2 + (torch.arange(7) + 0.5) * 14 / 7
        expected = 2.0 * centres_x + 3.0 * centres_y[:, None]
        kinds: tuple[Literal["roi_align", "roi_pool"], ...] = ("roi_align", "roi_pool")
        found = {}
        for kind in kinds:
            pooling = RegionPooling(7, levels=["0"], first_level=0, kind=kind)
            pooling.is_by_products = is_by_products
            found[kind] = pooling({"0": ramp[None, None]}, [region], [(24, 32)])[0, 0]
        torch.testing.assert_close(found["roi_align"], expected, rtol=1e-6, atol=1e-4)
        assert (found["roi_pool"] - expected).abs().min() > 0.5


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
@pytest.mark.parametrize("pool", [roi_align_by_products, roi_pool_by_gathering])
def test_gradients_are_the_same_on_every_run_of_a_gpu(
    pool: Callable[[Tensor, Tensor, float, int], Tensor],
) -> None:
    torch.use_deterministic_algorithms(True)
    try:
        features = torch.randn(64, 100, 100, device="cuda", requires_grad=True)
        regions = boxes(300, 400.0).cuda()
        weights = torch.randn(300, 64, 7, 7, device="cuda")
        gradients = [
            torch.autograd.grad((pool(features, regions, 0.25, 7) * weights).sum(), features)[0]
            for _ in range(5)
        ]
        assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["roi_align", "roi_pool"])
def test_detector_trains_the_same_twice_on_a_gpu(kind: Literal["roi_align", "roi_pool"]) -> None:
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
            settings = MaskRCNNSettings(backbone="resnet18", pooling=kind)
            network = build_mask_rcnn(settings, 2).cuda()
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
