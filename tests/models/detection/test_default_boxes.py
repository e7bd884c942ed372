"""Against the paper's formulas (Liu et al. 2016, section 2.2), written out place by place."""

import math

import pytest
import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]

from models.detection.default_boxes import DefaultBoxes
from models.detection.ssd import build_ssd
from models.detection.ssd_settings import (
    SSD300Settings,
    SSD512Settings,
    SSDLiteSettings,
    SSDSettings,
    map_sides,
)


def made(boxes: DefaultBoxes, side: int, sides: list[int]) -> Tensor:
    """Return the boxes (n, 4) of an image for maps of these sides."""
    batch = ImageList(torch.empty(1, 3, side, side), [(side, side)])
    return boxes(batch, [torch.empty(1, 1, each, each) for each in sides])


def shapes(scale: float, following: float, ratios: tuple[float, ...]) -> list[tuple[float, float]]:
    """Return widths and heights as shares of the image."""
    found = [(scale, scale), (math.sqrt(scale * following),) * 2]
    for ratio in ratios:
        long, short = scale * math.sqrt(ratio), scale / math.sqrt(ratio)
        found += [(long, short), (short, long)]
    return [(min(width, 1.0), min(height, 1.0)) for width, height in found]


def written_out(settings: SSDSettings, side: int) -> Tensor:
    """Return the boxes of the paper: places are ((i + 0.5) / |f|, (j + 0.5) / |f|)."""
    rows = []
    scales = settings.box_scales
    for level, cells in enumerate(map_sides(settings, side)):
        for row in range(cells):
            for column in range(cells):
                x, y = (column + 0.5) / cells, (row + 0.5) / cells
                for width, height in shapes(
                    scales[level], scales[level + 1], settings.ratios[level]
                ):
                    rows.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    return torch.tensor(rows) * side


@pytest.mark.parametrize("scales", ["voc", "coco"])
def test_boxes_of_ssd512_are_those_of_the_paper(scales: str) -> None:
    settings = SSD512Settings.model_validate({"scales": scales})
    with torch.device("meta"):
        network = build_ssd(settings, 2)
    found = made(network.default_boxes, 512, map_sides(settings, 512))
    assert found.shape == (24_564, 4)
    torch.testing.assert_close(found, written_out(settings, 512), rtol=1e-5, atol=1e-3)


def test_boxes_of_ssd300_lie_where_the_layers_look() -> None:
    settings = SSD300Settings()
    with torch.device("meta"):
        network = build_ssd(settings, 2)
    sides = map_sides(settings, 300)
    found, paper = made(network.default_boxes, 300, sides), written_out(settings, 300)
    assert found.shape == (8_732, 4)
    centres, theirs = ((boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (found, paper))
    torch.testing.assert_close(found[:, 2:] - found[:, :2], paper[:, 2:] - paper[:, :2])
    first = 38 * 38 * 4
    assert centres[: 38 * 4 : 4, 0].tolist() == pytest.approx([8 * i + 4 for i in range(38)])
    # The layers halve 300 with rounding up, so that 38 places 8 pixels apart reach beyond it.
    assert float((centres[:first] - theirs[:first]).abs().max()) == pytest.approx(3.95, abs=0.01)
    torch.testing.assert_close(centres[-40:], theirs[-40:])  # the maps of 3 and 1 pixels


def test_strides_are_those_of_the_authors() -> None:
    with torch.device("meta"):
        small, large = build_ssd(SSD300Settings(), 2), build_ssd(SSD512Settings(), 2)
    assert small.default_boxes.strides == (8, 16, 32, 64, None, None)
    assert large.default_boxes.strides == (8, 16, 32, 64, 128, 256, None)


@pytest.mark.parametrize(
    ("settings", "least", "most"),
    [(SSD300Settings(), 0.2, 0.9), (SSD512Settings(), 0.15, 0.9), (SSDLiteSettings(), 0.2, 0.95)],
)
def test_scales_are_spread_evenly(settings: SSDSettings, least: float, most: float) -> None:
    # Equation 4; SSD300 and SSD512 have a smaller one for the first map.
    first = int(isinstance(settings, SSDSettings))
    scales = settings.box_scales[first:-1]
    steps = len(scales) - 1
    expected = [least + (most - least) * step / steps for step in range(steps + 1)]
    assert list(scales) == pytest.approx(expected)


def test_every_place_has_two_squares_and_two_boxes_for_each_ratio() -> None:
    boxes = DefaultBoxes(((2,), (2, 3)), (0.1, 0.2, 0.4), (None, None))
    assert boxes.of_a_place == [4, 6]
    found = made(boxes, 100, [2, 1])
    assert found[0].tolist() == pytest.approx([20, 20, 30, 30])
    lying = found[2]
    assert float((lying[2] - lying[0]) / (lying[3] - lying[1])) == pytest.approx(2)
