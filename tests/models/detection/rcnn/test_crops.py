import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.detection.rcnn.crops import warped, with_context


def ramp(height: int, width: int) -> Tensor:
    """Each pixel says where its centre is: across, down, and nothing."""
    down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([across + 0.5, down + 0.5, torch.zeros(height, width)])[None]


def test_context_takes_the_pixels_it_is_given() -> None:
    box = torch.tensor([[30.0, 20.0, 50.0, 60.0]])
    # Of 40 pixels 5 are context on each side: 30 show the box, so 40 show 4 / 3 of it.
    factor = 40 / 30
    expected = torch.tensor([[40 - 40 / 3, 40 - 80 / 3, 40 + 40 / 3, 40 + 80 / 3]])
    torch.testing.assert_close(with_context(box, factor), expected)


@pytest.mark.parametrize("context", [0, 4])
def test_region_fills_the_crop_but_for_its_context(context: int) -> None:
    side, box = 24, torch.tensor([[20.0, 12.0, 60.0, 36.0]])
    crop = warped(ramp(48, 80), [box], side=side, context=context)[0]
    inner = side - 2 * context
    # Pixel i of the crop shows what lies (i + 0.5 - context) / inner into the region.
    shares = (torch.arange(side) + 0.5 - context) / inner
    inside = (shares > -0.2) & (shares < 1.2)
    torch.testing.assert_close(crop[0, side // 2][inside], (20 + 40 * shares)[inside])
    torch.testing.assert_close(crop[1, :, side // 2][inside], (12 + 24 * shares)[inside])


def test_shrunk_region_is_the_mean_of_what_each_pixel_covers() -> None:
    image = torch.randn(1, 3, 60, 60, generator=torch.Generator().manual_seed(1))
    crop = warped(image, [torch.tensor([[0.0, 0.0, 60.0, 60.0]])], side=10, context=0)
    torch.testing.assert_close(crop, functional.avg_pool2d(image, 6))


def test_outside_of_the_image_is_the_middle_of_the_range() -> None:
    box = torch.tensor([[0.0, 0.0, 16.0, 16.0]])
    crop = warped(torch.ones(1, 3, 16, 16), [box], side=32, context=8)
    assert (crop[0, :, 8:24, 8:24] == 1).all()
    assert (crop[0, :, :6] == 0).all()
    assert (crop[0, :, :, 26:] == 0).all()


def test_regions_of_all_images_come_in_order() -> None:
    images = torch.stack([torch.full((3, 20, 20), float(value)) for value in (1, 2)])
    box = torch.tensor([[5.0, 5.0, 15.0, 15.0]])
    crops = warped(images, [box, box.repeat(2, 1)], side=4, context=0)
    assert crops[:, 0, 0, 0].tolist() == [1, 2, 2]
    assert warped(images, [box[:0], box[:0]], side=4, context=0).shape == (0, 3, 4, 4)
