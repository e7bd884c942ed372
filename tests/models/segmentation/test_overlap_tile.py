from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.segmentation.overlap_tile import mirror, predict_by_tiles
from models.segmentation.settings import UNetSettings, unet_covering_size, unet_margin
from models.segmentation.unet import UNet


@pytest.fixture
def slice_512(real_data: Path) -> Tensor:
    """Return a slice of a fly's brain, (1, 3, 512, 512) in [-1, 1]."""
    file = min((real_data / "isbi2012" / "train").rglob("*.png"))
    pixels = cv2.imread(str(file))
    assert pixels is not None
    assert pixels.shape == (512, 512, 3)
    return torch.from_numpy(np.moveaxis(pixels, -1, 0)[None]) / 127.5 - 1


def test_mirroring_agrees_with_numpy_however_wide() -> None:
    image = np.arange(12).reshape(3, 4)
    expected = np.pad(image, ((7, 11), (7, 2)), mode="reflect")
    found = mirror(torch.from_numpy(image)[None, None], margin=7, size_hw=expected.shape)
    assert np.array_equal(found[0, 0].numpy(), expected)


def test_single_pixel_is_its_own_mirror_image() -> None:
    found = mirror(torch.full((1, 1, 1, 1), 5), margin=3, size_hw=(6, 7))
    assert torch.equal(found, torch.full((1, 1, 6, 7), 5))


@pytest.mark.parametrize("size_hw", [(40, 56), (20, 20), (13, 21), (1, 1)])
@pytest.mark.parametrize("tile", [4, 12, 20])
def test_tiles_give_what_one_pass_gives(tile: int, size_hw: tuple[int, int]) -> None:
    torch.manual_seed(0)
    settings = UNetSettings(base_channels=2, depth=2, padding="valid", border="mirror")
    network, images = UNet(settings, 2).eval(), torch.randn(2, 3, *size_hw)
    with torch.no_grad():
        whole = network(images)
        tiled = predict_by_tiles(
            network.one_pass, images, tile=tile, margin=unet_margin(settings), grid=4
        )
    assert tiled.shape == (2, 2, *size_hw)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_slice_predicted_by_tiles_equals_one_pass_over_the_mirrored_slice(
    slice_512: Tensor,
) -> None:
    torch.manual_seed(0)
    settings = UNetSettings(
        base_channels=4, padding="valid", border="mirror", tile=196, input_channels=1
    )
    network = UNet(settings, 2).eval()
    # One pass, mirrored by torch rather than by us: 92 pixels and what makes the size possible.
    rest = unet_covering_size(settings, 512) - 512
    grey = slice_512.mean(dim=1, keepdim=True)
    mirrored = functional.pad(grey, (92, 92 + rest, 92, 92 + rest), mode="reflect")
    with torch.no_grad():
        tiled, whole = network(slice_512), network.one_pass(mirrored)[..., :512, :512]
    assert tiled.shape == (1, 2, 512, 512)
    assert whole.std() > 0.1
    assert (tiled - whole).abs().max() < 1e-5


def test_tiles_are_predicted_one_at_a_time() -> None:
    settings = UNetSettings(base_channels=1, depth=1, padding="valid", border="mirror", tile=8)
    network, sizes = UNet(settings, 1), []
    network.down[0].register_forward_hook(lambda *call: sizes.append(tuple(call[1][0].shape)))
    images = torch.zeros(1, 3, 20, 12)
    with torch.no_grad():
        assert network.eval()(images).shape == (1, 1, 20, 12)
        assert sizes == [(1, 3, 24, 24)] * 6
        sizes.clear()
        assert network.train()(images).shape == (1, 1, 20, 12)
        assert sizes == [(1, 3, 36, 28)]
