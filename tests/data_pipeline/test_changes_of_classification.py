"""Random changes that papers on classification brought, against their formulas."""

from random import Random

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.transforms import v2  # type: ignore[import-untyped]

from data_pipeline.loading.resizing import GREY
from data_pipeline.samples import STILL, ClassificationBatch, ClipBatch
from data_pipeline.transforms.batches import augmented_batch
from data_pipeline.transforms.settings import PcaColor, RandomCrop, RandomErasing

AXES = np.array(  # columns, as fb.resnet.torch prints them
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
)
VARIANCES = np.array([0.2175, 0.0188, 0.0045])


def changed(
    augmentation: PcaColor | RandomErasing | RandomCrop,
    seed: int,
    *,
    side: int = 40,
    value: int = 128,
) -> NDArray[np.int64]:
    """Return a (3, h, w) picture of one value after a change."""
    pictures = torch.full((1, 3, side, side), value, dtype=torch.uint8)
    batch = ClassificationBatch(("a",), pictures, torch.tensor([0]))
    moved = augmented_batch(batch, [augmentation], [seed])
    assert isinstance(moved, ClassificationBatch)
    assert moved.images.dtype == torch.uint8
    return moved.images[0].numpy().astype(np.int64)


def box_of(erased: NDArray[np.bool_]) -> tuple[int, int]:
    """Return height and width of what is erased."""
    rows, columns = np.nonzero(erased)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def test_colours_are_added_as_alexnet_wrote_with_the_draws_of_the_picture() -> None:
    random = Random(5)
    random.random()  # whether it is changed at all
    alphas = np.array([random.gauss(0, 0.1) for _ in range(3)])
    added = changed(PcaColor(), 5)[:, 0, 0] - 128
    np.testing.assert_array_equal(added, np.round(AXES @ (alphas * VARIANCES) * 255))


def test_every_pixel_of_a_picture_gets_the_same_colour_added() -> None:
    added = changed(PcaColor(std=0.5), 3) - 128
    assert (added == added[:, :1, :1]).all()
    assert added.any()


def test_added_colours_have_the_covariance_of_the_main_axes() -> None:
    added = np.array([changed(PcaColor(std=1), seed, side=1)[:, 0, 0] for seed in range(1500)])
    # A hundredth of the wanted variance is cut off at 0 and 255, and rounding adds 1 / 12.
    expected = AXES @ np.diag((VARIANCES * 255) ** 2) @ AXES.T
    np.testing.assert_allclose(np.cov(added.T), expected, rtol=0.15)


def test_colours_stay_within_a_byte() -> None:
    ends = {changed(PcaColor(std=2), seed, value=250).max() for seed in range(40)}
    assert max(ends) == 255


def test_an_erased_rectangle_has_the_share_and_the_shape_asked_for() -> None:
    settings = RandomErasing(scale=(0.1, 0.2), ratio=(0.5, 2), p=1)
    for seed in range(40):
        erased = (changed(settings, seed, side=200) != 128).any(axis=0)
        height, width = box_of(erased)
        assert 0.095 <= height * width / 200**2 <= 0.21
        assert 0.48 <= width / height <= 2.08
        assert erased.sum() > 0.99 * height * width  # noise is grey by chance in few pixels


def test_areas_are_erased_about_as_torchvision_does() -> None:
    ours = [np.mean((changed(RandomErasing(p=1), s) != 128).any(0)) for s in range(400)]
    torch.manual_seed(0)
    reference = v2.RandomErasing(p=1, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=1)
    theirs = [float((reference(torch.zeros(3, 40, 40)) == 1).float().mean()) for _ in range(400)]
    # Means of 400 with a standard deviation of a tenth: a difference of five standard errors.
    assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=0.035)
    assert max(ours) <= 0.36


def test_noise_is_of_all_values_alike_and_of_each_colour_its_own() -> None:
    erased = changed(RandomErasing(scale=(1, 1), ratio=(1, 1), p=1), 0, side=128)
    counts = np.bincount(erased.ravel(), minlength=256)
    expected = erased.size / 256
    assert ((counts - expected) ** 2 / expected).sum() < 255 + 5 * (2 * 255) ** 0.5
    correlations = np.atleast_2d(np.corrcoef(erased.reshape(3, -1)))
    assert np.abs(correlations - np.eye(3)).max() < 0.05


def test_a_rectangle_that_never_fits_leaves_the_picture() -> None:
    assert (changed(RandomErasing(scale=(1, 1), ratio=(5, 5), p=1), 0) == 128).all()


def test_motion_is_still_where_a_clip_is_erased() -> None:
    clip = torch.full((1, 5, 2, 16, 16), 200, dtype=torch.uint8)
    settings = RandomErasing(scale=(0.3, 0.3), ratio=(1, 1), p=1)
    moved = augmented_batch(ClipBatch(("v",), clip, torch.tensor([0])), [settings], [1])
    assert isinstance(moved, ClipBatch)
    flow = moved.clips[0, 3:]
    assert set(flow.flatten().tolist()) == {STILL, 200}
    hidden = (moved.clips[0, :3] != 200).any(0)
    assert torch.equal((flow == STILL).all(0), hidden)


def test_pad_and_crop_is_a_window_of_the_padded_picture() -> None:
    coordinates = torch.arange(32 * 32).reshape(32, 32) % 251
    picture = coordinates.to(torch.uint8).expand(1, 3, 32, 32)
    padded = np.pad(picture[0, 0].numpy(), 4, constant_values=GREY)
    windows = {padded[y : y + 32, x : x + 32].tobytes() for y in range(9) for x in range(9)}
    seen = set()
    for seed in range(100):
        batch = ClassificationBatch(("a",), picture, torch.tensor([0]))
        moved = augmented_batch(batch, [RandomCrop(padding=4)], [seed])
        assert isinstance(moved, ClassificationBatch)
        seen.add(moved.images[0, 0].numpy().tobytes())
    assert seen <= windows
    assert len(seen) > 50
