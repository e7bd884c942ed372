import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from models.detection.pixel_scales import IMAGENET
from models.detection.search_settings import SearchSettings
from models.detection.selective_search.proposals import (
    SearchedRegions,
    pixels_of,
    searched,
)
from models.detection.selective_search.search import selective_search


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (height, width, 3), dtype=np.uint8)


def squares() -> NDArray[np.uint8]:
    """Two bright squares on a dark ground, one with a smaller one of another colour inside."""
    rgb = np.full((80, 120, 3), 30, np.uint8)
    rgb[10:40, 15:55] = (200, 60, 40)
    rgb[30:70, 75:110] = (60, 200, 90)
    rgb[40:60, 82:100] = (230, 230, 80)
    return rgb


def as_network_sees(rgb: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(rgb).permute(2, 0, 1) / 127.5 - 1


def test_boxes_of_plain_squares_are_found_to_the_pixel() -> None:
    boxes = {tuple(box) for box in selective_search(squares()).tolist()}
    wanted = {(15, 10, 55, 40), (75, 30, 110, 70), (82, 40, 100, 60), (0, 0, 120, 80)}
    for box in wanted:
        found = torch.tensor(sorted(boxes))
        # Blurred edges belong to either side, so a pixel more or less is exact.
        nearest = (found - torch.tensor(box)).abs().amax(dim=1).min()
        assert float(nearest) <= 1, box


def test_same_pixels_give_the_same_boxes_in_the_same_order() -> None:
    np.random.seed(3)  # noqa: NPY002  # nobody else's numbers play a part
    first = selective_search(noise(60, 80))
    np.random.seed(4)  # noqa: NPY002
    assert np.array_equal(first, selective_search(noise(60, 80)))


def test_boxes_lie_in_the_picture_and_occur_once() -> None:
    boxes = selective_search(noise(60, 80), "quality")
    assert len(boxes) == len(np.unique(boxes, axis=0)) > 20
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    assert boxes.min() == 0
    assert boxes.max(axis=0).tolist()[2:] == [80, 60]


def test_quality_goes_further_than_fast() -> None:
    fast, quality = (
        {tuple(box) for box in selective_search(noise(60, 80), each).tolist()}
        for each in ("fast", "quality")
    )
    assert fast < quality


@pytest.mark.parametrize("size", [(1, 1), (2, 90), (64, 1)])
def test_tiny_pictures_are_one_box(size: tuple[int, int]) -> None:
    assert [0.0, 0.0, size[1], size[0]] in selective_search(noise(*size)).tolist()


def test_real_objects_are_among_the_boxes(real_data: Path) -> None:
    """Of six photographs at 300 pixels nine tenths of the large objects are found."""
    folder = real_data / "coco_mini"
    truth = json.loads((folder / "annotations/instances_val2017.json").read_text())
    found: list[bool] = []
    for image in truth["images"][:6]:
        bgr = cv2.imread(str(folder / "val2017" / image["file_name"]))
        assert bgr is not None
        factor = 300 / max(bgr.shape[:2])
        small = cv2.resize(bgr, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        rgb = np.ascontiguousarray(small[..., ::-1], np.uint8)
        regions = torch.from_numpy(selective_search(rgb)[:2000])
        objects = [
            each["bbox"]
            for each in truth["annotations"]
            if each["image_id"] == image["id"] and not each["iscrowd"]
        ]
        boxes = torch.tensor(objects).reshape(-1, 4) * factor
        boxes[:, 2:] += boxes[:, :2]
        is_large = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1) > 32**2
        found += (box_iou(boxes[is_large], regions).amax(dim=1) >= 0.5).tolist()
    assert len(found) > 15
    assert sum(found) / len(found) >= 0.9


class TestRegionsOfABatch:
    def test_padding_is_not_searched(self) -> None:
        batch = torch.zeros(2, 3, 64, 64)
        batch[0, :, :48, :40] = as_network_sees(noise(48, 40))
        batch[1] = as_network_sees(noise(64, 64, 1))
        regions = SearchedRegions(SearchSettings(), is_normalized=False)
        first, second = regions(ImageList(batch, [(48, 40), (64, 64)]))
        assert np.array_equal(first.numpy(), selective_search(noise(48, 40)))
        assert np.array_equal(second.numpy(), selective_search(noise(64, 64, 1)))

    def test_no_more_than_asked_for_and_the_first_ones(self) -> None:
        regions = SearchedRegions(SearchSettings(proposals=7), is_normalized=False)
        (found,) = regions(ImageList(as_network_sees(noise(50, 50))[None], [(50, 50)]))
        assert np.array_equal(found.numpy(), selective_search(noise(50, 50))[:7])

    def test_what_the_caller_does_to_boxes_does_not_stay(self) -> None:
        regions = SearchedRegions(SearchSettings(), is_normalized=False)
        batch = ImageList(as_network_sees(squares())[None], [(80, 120)])
        regions(batch)[0].zero_()
        assert regions(batch)[0].amax() == 120

    def test_a_picture_is_searched_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        searches: list[tuple[int, ...]] = []

        def counted(rgb: NDArray[np.uint8], settings: SearchSettings) -> NDArray[np.float32]:
            searches.append(rgb.shape)
            return searched(rgb, settings)

        monkeypatch.setattr("models.detection.selective_search.proposals.searched", counted)
        batch = ImageList(as_network_sees(noise(33, 44, 9))[None], [(33, 44)])
        for proposals in (50, 50, 60):
            SearchedRegions(SearchSettings(proposals=proposals), is_normalized=False)(batch)
        assert searches == [(33, 44, 3)] * 2


class TestSizeOfTheSearch:
    def test_boxes_are_in_pixels_of_the_picture(self) -> None:
        boxes = searched(squares(), SearchSettings(search_side=360))
        assert boxes.max(axis=0).tolist()[2:] == pytest.approx([120, 80])
        overlaps = box_iou(torch.tensor([[82.0, 40.0, 100.0, 60.0]]), torch.from_numpy(boxes))
        assert overlaps.max() > 0.9

    def test_a_larger_picture_has_smaller_areas(self) -> None:
        small, large = (
            searched(squares(), SearchSettings(search_side=side)) for side in (40, 240)
        )
        least = [
            float((boxes[:, 2:] - boxes[:, :2]).prod(axis=1).min()) for boxes in (small, large)
        ]
        assert least[1] < least[0]


class TestPixels:
    def test_of_scaled_images_are_those_on_disk(self) -> None:
        rgb = noise(9, 11)
        assert np.array_equal(pixels_of(as_network_sees(rgb), is_normalized=False), rgb)

    def test_of_normalised_images_are_those_on_disk(self) -> None:
        rgb = noise(9, 11)
        mean, std = (torch.tensor(each).view(3, 1, 1) for each in (IMAGENET.mean, IMAGENET.std))
        image = (torch.from_numpy(rgb).permute(2, 0, 1) / 255 - mean) / std
        assert np.abs(pixels_of(image, is_normalized=True).astype(int) - rgb).max() == 0

    def test_of_other_statistics_keep_darkest_and_brightest_apart(self) -> None:
        image = torch.linspace(-3, 5, 27).reshape(3, 3, 3)
        found = pixels_of(image, is_normalized=False)
        assert (found.min(), found.max()) == (0, 255)
        assert (np.diff(found.transpose(2, 0, 1).ravel().astype(int)) > 0).all()
