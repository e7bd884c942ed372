"""Poolings of this family give what torch's 3-D poolings give, gradients too."""

import pytest
import torch
from torch import Tensor, nn

from models.video.pooling import AverageOfAll, AveragePool, Extent, MaxPool, pool_deterministically

MAXIMA: tuple[tuple[Extent, Extent, Extent, bool], ...] = (
    ((1, 2, 2), (1, 2, 2), (0, 0, 0), True),
    ((2, 2, 2), (2, 2, 2), (0, 0, 0), True),
    ((3, 3, 3), (1, 1, 1), (1, 1, 1), False),
    ((3, 3, 3), (2, 2, 2), (0, 0, 0), True),
    ((3, 3, 3), (2, 2, 2), (1, 1, 1), False),
    ((1, 3, 3), (1, 2, 2), (0, 1, 1), False),
    ((2, 1, 1), (2, 1, 1), (0, 0, 0), False),
)


def maps_with_ties() -> Tensor:
    """Return maps of few different values, so that most windows have more than one maximum."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randint(0, 4, (2, 3, 7, 9, 8), generator=generator).float()
    return maps.requires_grad_()


def gradient(pooled: Tensor, maps: Tensor) -> Tensor:
    weights = torch.randn(pooled.shape, generator=torch.Generator().manual_seed(1))
    (found,) = torch.autograd.grad((pooled * weights).sum(), maps)
    return found


@pytest.mark.parametrize(("kernel", "stride", "padding", "ceil_mode"), MAXIMA)
def test_maxima_and_which_of_equals_learns_are_those_of_torch(
    kernel: Extent, stride: Extent, padding: Extent, ceil_mode: bool
) -> None:
    maps = maps_with_ties()
    ours = MaxPool(kernel, stride, padding=padding, ceil_mode=ceil_mode)(maps)
    theirs = nn.MaxPool3d(kernel, stride, padding, ceil_mode=ceil_mode)(maps)
    assert torch.equal(ours, theirs)
    torch.testing.assert_close(gradient(ours, maps), gradient(theirs, maps))


def test_averages_are_those_of_torch() -> None:
    maps = maps_with_ties()
    ours, theirs = AveragePool((2, 7, 7))(maps), nn.AvgPool3d((2, 7, 7), stride=1)(maps)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradient(ours, maps), gradient(theirs, maps))


def test_window_that_is_larger_than_the_maps_averages_all() -> None:
    maps = maps_with_ties()[:, :, :1, :2, :2]
    torch.testing.assert_close(AveragePool((2, 7, 7))(maps), maps.mean((2, 3, 4), keepdim=True))


def test_poolings_of_a_network_are_replaced_and_give_the_same() -> None:
    network = nn.Sequential(
        nn.MaxPool3d(3, stride=2, padding=1, ceil_mode=True),
        nn.Sequential(nn.MaxPool3d((1, 2, 2))),
        nn.AdaptiveAvgPool3d(1),
    )
    maps = maps_with_ties()
    before = network(maps)
    pool_deterministically(network)
    assert isinstance(network[0], MaxPool)
    assert isinstance(network[1], nn.Sequential)
    assert isinstance(network[1][0], MaxPool)
    assert isinstance(network[2], AverageOfAll)
    torch.testing.assert_close(network(maps), before)
