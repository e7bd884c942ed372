from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.segmentation.upsampling import (
    FIXED_UPSAMPLINGS,
    bed_of_nails,
    bilinear,
    max_pool,
    max_unpool,
    nearest,
    same_convolution,
    transposed_convolution,
)


def maps_of(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)[None, None]


def random_maps(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), requires_grad=True)


def value_and_gradient(function: Callable[[Tensor], Tensor], maps: Tensor) -> tuple[Tensor, ...]:
    """Return what a function gives, and the gradient of a weighted sum of it."""
    value = function(maps)
    weights = torch.arange(value.numel(), dtype=value.dtype).view(value.shape).sin()
    return value.detach(), *torch.autograd.grad((value * weights).sum(), maps)


SMALL = maps_of([1, 2], [3, 4])


def test_nearest_repeats_each_pixel() -> None:
    expected = maps_of([1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4])
    assert torch.equal(nearest(SMALL), expected)


def test_bed_of_nails_puts_each_pixel_at_the_top_left() -> None:
    expected = maps_of([1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0])
    assert torch.equal(bed_of_nails(SMALL), expected)


def test_bilinear_mixes_neighbours_by_distance() -> None:
    # By hand: 1, 1.25, 1.75, 2 along the first row, and 2 more from the first row to the last.
    expected = maps_of(
        [1, 1.25, 1.75, 2],
        [1.5, 1.75, 2.25, 2.5],
        [2.5, 2.75, 3.25, 3.5],
        [3, 3.25, 3.75, 4],
    )
    assert torch.equal(bilinear(SMALL), expected)


def test_max_unpooling_puts_each_pixel_where_the_maximum_was() -> None:
    pooled, places = max_pool(maps_of([1, 2, 6, 3], [3, 5, 2, 1], [1, 2, 2, 1], [7, 3, 4, 8]))
    assert torch.equal(pooled, maps_of([5, 6], [7, 8]))
    expected = maps_of([0, 0, 2, 0], [0, 1, 0, 0], [0, 0, 0, 0], [3, 0, 0, 4])
    assert torch.equal(max_unpool(SMALL, places), expected)


def test_transposed_convolution_adds_where_its_squares_overlap() -> None:
    layer = transposed_convolution(1, 1, 3)
    nn.init.ones_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    # By hand: each pixel adds itself to the 3x3 square around twice its place.
    expected = maps_of([1, 3, 2, 2], [4, 10, 6, 6], [3, 7, 4, 4], [3, 7, 4, 4])
    assert torch.equal(layer(SMALL).detach(), expected)


def test_transposed_convolution_of_two_pixels_paints_squares_side_by_side() -> None:
    layer = transposed_convolution(1, 1, 2)
    layer.weight.data = maps_of([1, 10], [100, 1000])
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    expected = maps_of(
        [1, 10, 2, 20], [100, 1000, 200, 2000], [3, 30, 4, 40], [300, 3000, 400, 4000]
    )
    assert torch.equal(layer(SMALL).detach(), expected)


@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (1, 1, 1, 1), (1, 2, 1, 5)])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_interpolation_agrees_with_torch(mode: str, shape: tuple[int, ...]) -> None:
    def reference(maps: Tensor) -> Tensor:
        corners = {"align_corners": False} if mode == "bilinear" else {}
        return functional.interpolate(maps, scale_factor=2, mode=mode, **corners)

    maps = random_maps(*shape)
    ours = value_and_gradient(FIXED_UPSAMPLINGS[mode], maps)
    for found, expected in zip(ours, value_and_gradient(reference, maps), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("is_tied", [False, True])
def test_max_unpooling_agrees_with_torch(is_tied: bool) -> None:
    source = random_maps(2, 3, 8, 6).detach()
    places = max_pool(source.round() if is_tied else source)[1]
    maps = random_maps(2, 3, 4, 3)
    ours = value_and_gradient(lambda maps: max_unpool(maps, places), maps)
    theirs = value_and_gradient(lambda maps: functional.max_unpool2d(maps, places, (2, 2)), maps)
    for found, expected in zip(ours, theirs, strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("kernel", [2, 3])
def test_convolving_a_bed_of_nails_is_a_transposed_convolution(kernel: int) -> None:
    torch.manual_seed(0)
    convolution, transposed = same_convolution(3, 2, kernel), transposed_convolution(3, 2, kernel)
    weight, bias = convolution.parameters()
    transposed.weight.data = weight.data.transpose(0, 1).flip(-2, -1)
    assert transposed.bias is not None
    transposed.bias.data = bias.data
    maps = random_maps(2, 3, 4, 5)
    torch.testing.assert_close(convolution(bed_of_nails(maps)), transposed(maps))


@pytest.mark.parametrize("name", sorted(FIXED_UPSAMPLINGS))
def test_half_precision_stays_half(name: str) -> None:
    assert FIXED_UPSAMPLINGS[name](SMALL.bfloat16()).dtype == torch.bfloat16


@pytest.mark.gpu
@pytest.mark.parametrize("name", [*FIXED_UPSAMPLINGS, "max_unpooling"])
def test_training_is_deterministic_on_a_gpu(name: str) -> None:
    source = random_maps(2, 8, 32, 32).detach().cuda()
    places = max_pool(source)[1]
    function = FIXED_UPSAMPLINGS.get(name, lambda maps: max_unpool(maps, places))
    maps = random_maps(2, 8, 16, 16).detach().cuda().requires_grad_()
    torch.use_deterministic_algorithms(True)
    try:
        first = value_and_gradient(function, maps.cuda())
        second = value_and_gradient(function, maps.cuda())
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
