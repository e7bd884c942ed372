from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from models.losses import IGNORE
from models.losses.border_weights import border_weights


def by_all_objects(
    mask: NDArray[np.uint8], label: int, *, w0: float = 10.0, sigma: float = 5.0
) -> NDArray[np.float64]:
    """Measure the distance of every pixel to every object."""
    objects, count = ndimage.label(mask == label)
    if count < 2:
        return np.zeros(mask.shape)
    distances = [ndimage.distance_transform_edt(objects != n) for n in range(1, count + 1)]
    nearest, second = np.sort(distances, axis=0)[:2]
    weights = w0 * np.exp(-((nearest + second) ** 2) / (2 * sigma**2))
    return np.where(mask == label, 0.0, weights)


def weigh(mask: NDArray[np.uint8], label: int = 1, **settings: float) -> NDArray[np.float32]:
    found = border_weights(
        torch.from_numpy(mask[None]), label, **{"w0": 10, "sigma": 5} | settings
    )
    assert found.dtype == torch.float32
    return found[0].numpy()


@pytest.mark.parametrize("number", [0, 7, 23])
@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_cells_of_real_slices_weigh_as_by_all_objects(
    number: int, sigma: float, real_data: Path
) -> None:
    file = real_data / "isbi2012" / "train" / "label" / f"{number}.png"
    stored = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    assert stored is not None
    mask = (stored[40:160, 60:200] == 255).astype(np.uint8)
    expected = by_all_objects(mask, 1, sigma=sigma)
    assert expected.max() > 1
    np.testing.assert_allclose(weigh(mask, sigma=sigma), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_random_objects_weigh_as_by_all_objects(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mask = (generator.random((41, 33)) < 0.1).astype(np.uint8)
    mask[generator.random((41, 33)) < 0.02] = IGNORE
    mask[:7, 20:] = 2
    np.testing.assert_allclose(weigh(mask), by_all_objects(mask, 1), rtol=0, atol=1e-6)


def test_pixel_between_two_objects_weighs_what_the_formula_says() -> None:
    mask = np.zeros((3, 6), np.uint8)
    mask[:, 0] = mask[:, 4] = 1
    # Distances at columns 1, 2, 3 are (1, 3), (2, 2), (1, 3); at column 5, (1, 5).
    inner, outer = (10 * np.exp(-(total**2) / 50) for total in (4, 6))
    expected = [0, inner, inner, inner, 0, outer]
    np.testing.assert_allclose(weigh(mask), [expected] * 3, atol=1e-6)


def test_objects_that_meet_at_a_corner_are_two() -> None:
    mask = np.array([[1, 0], [0, 1]], np.uint8)
    weight = 10 * np.exp(-(2**2) / 50)
    np.testing.assert_allclose(weigh(mask), [[0, weight], [weight, 0]], atol=1e-6)


@pytest.mark.parametrize("objects", [0, 1])
def test_fewer_than_two_objects_have_no_border(objects: int) -> None:
    mask = np.zeros((9, 9), np.uint8)
    mask[2:4, 2:4] = objects
    assert not weigh(mask).any()


def test_each_label_map_of_a_batch_has_its_own_objects() -> None:
    generator = torch.Generator().manual_seed(0)
    masks = (torch.rand(3, 16, 20, generator=generator) < 0.1).to(torch.uint8)
    together = border_weights(masks, 1, w0=10, sigma=5)
    alone: list[Tensor] = [border_weights(mask[None], 1, w0=10, sigma=5) for mask in masks]
    assert torch.equal(together, torch.cat(alone))
