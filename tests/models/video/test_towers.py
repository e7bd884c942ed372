"""Networks of pictures that two-stream networks and LRCN are made of, and their layers."""

import pytest
import torch
from torch import Tensor, nn

from models.video.grid_pooling import GridPooling
from models.video.response_norm import ResponseNorm
from models.video.towers import (
    Tower,
    caffenet_trunk,
    cnn_m_tower,
    vgg16_tower,
)


@pytest.mark.parametrize("size_hw", [(6, 6), (13, 9), (4, 17), (1, 1), (12, 6)])
def test_grid_pooling_is_torch_adaptive_average(size_hw: tuple[int, int]) -> None:
    maps = torch.randn(2, 3, *size_hw, requires_grad=True)
    ours, theirs = GridPooling(6)(maps), nn.AdaptiveAvgPool2d(6)(maps)
    torch.testing.assert_close(ours, theirs)
    weights = torch.randn_like(ours)
    gradients = [torch.autograd.grad((each * weights).sum(), maps)[0] for each in (ours, theirs)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("channels", [2, 5, 9])
def test_response_norm_is_torch_local_response_norm(channels: int) -> None:
    maps = 3 * torch.randn(2, channels, 4, 5)
    theirs = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    torch.testing.assert_close(ResponseNorm(alpha=5e-4, k=2.0)(maps), theirs(maps))


def shapes(module: nn.Module, pictures: Tensor) -> list[tuple[int, ...]]:
    """Return channels, rows and columns after every pooling and convolution."""
    seen: list[tuple[int, ...]] = []
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            layer.register_forward_hook(lambda _m, _i, output: seen.append(output.shape[1:]))
    module(pictures)
    return seen


def test_cnn_m_has_the_sizes_of_the_paper() -> None:
    with torch.device("meta"):
        tower = cnn_m_tower(20, 101, width=1, dropout=0.9, has_second_norm=False)
        seen = shapes(tower, torch.empty(1, 20, 224, 224))
    assert seen == [
        (96, 109, 109),
        (96, 54, 54),
        (256, 26, 26),
        (256, 13, 13),
        (512, 13, 13),
        (512, 13, 13),
        (512, 13, 13),
        (512, 6, 6),
    ]


def test_caffenet_has_the_sizes_of_the_paper() -> None:
    with torch.device("meta"):
        trunk, units = caffenet_trunk(3, width=1)
        seen = shapes(trunk, torch.empty(1, 3, 227, 227))
    assert units == 4096
    assert [each for each in seen if each[1] in (55, 27)] == [
        (96, 55, 55),
        (96, 27, 27),
        (256, 27, 27),
    ]
    assert seen[-1] == (256, 6, 6)


def parameters(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def test_towers_have_the_published_counts() -> None:
    with torch.device("meta"):
        spatial = cnn_m_tower(3, 101, width=1, dropout=0.9, has_second_norm=True)
        temporal = cnn_m_tower(20, 101, width=1, dropout=0.9, has_second_norm=False)
        vggs = [vgg16_tower(channels, 101, width=1, dropout=0.5) for channels in (3, 20)]
    assert parameters(spatial) == 90_627_813
    assert parameters(temporal) == 90_707_781
    assert [parameters(each) for each in vggs] == [134_674_341, 134_684_133]


def test_the_temporal_network_alone_has_no_second_normalisation() -> None:
    towers = [
        cnn_m_tower(3, 2, width=0.02, dropout=0, has_second_norm=has) for has in (True, False)
    ]
    counts = [sum(isinstance(m, ResponseNorm) for m in each.modules()) for each in towers]
    assert counts == [2, 1]


@pytest.mark.parametrize("size", [41, 64])
def test_narrow_towers_take_small_pictures(size: int) -> None:
    towers: list[Tower] = [
        cnn_m_tower(3, 4, width=0.02, dropout=0, has_second_norm=True),
        vgg16_tower(3, 4, width=0.02, dropout=0),
    ]
    for tower in towers:
        assert tower(torch.zeros(2, 3, size, size)).shape == (2, 4)


def test_activations_keep_their_scale_whatever_the_width() -> None:
    torch.manual_seed(0)
    pictures = torch.randn(4, 3, 96, 96)
    for width in (0.05, 0.25):
        trunk, _ = caffenet_trunk(3, width=width)
        assert 0.1 < float(trunk(pictures).detach().std()) < 10
