"""Every random change moves pictures, label maps, masks and boxes together."""

import math
from random import Random

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor

from data_pipeline.loading.resizing import GREY
from data_pipeline.samples import (
    IGNORE,
    ClassificationBatch,
    ClipBatch,
    DetectionBatch,
    InstanceBatch,
    SegmentationBatch,
)
from data_pipeline.transforms.batches import augmented_batch
from data_pipeline.transforms.changes import drawn
from data_pipeline.transforms.settings import NAMES, AnyAugmentation, Augmentation

ONE: TypeAdapter[AnyAugmentation] = TypeAdapter(Augmentation)
COLOURS = ("color_jitter", "pca_color", "blur", "cutout", "random_erasing")
EXACT = ("horizontal_flip", "vertical_flip", "rotate_90")
PARTS = tuple(name for name in NAMES if name not in (*COLOURS, *EXACT))
SEEDS = (0, 1, 2)
RECTANGLE = (20, 12, 44, 30)  # xyxy


def always(name: str, **parameters: object) -> AnyAugmentation:
    return ONE.validate_python({"name": name, "p": 1.0, **parameters})


def rectangle(
    size_hw: tuple[int, int] = (64, 64), box: tuple[int, int, int, int] = RECTANGLE
) -> DetectionBatch:
    """A black picture with a white rectangle, and its box."""
    x1, y1, x2, y2 = box
    image = torch.zeros(3, *size_hw, dtype=torch.uint8)
    image[:, y1:y2, x1:x2] = 255
    return DetectionBatch(
        image_ids=("a",),
        images=(image,),
        stored_hw=(size_hw,),
        boxes_xyxy=(torch.tensor([box], dtype=torch.float32),),
        labels=(torch.tensor([4]),),
        areas=(torch.tensor([float((x2 - x1) * (y2 - y1))]),),
        is_crowd=(torch.tensor([False]),),
        is_difficult=(torch.tensor([True]),),
    )


def with_mask(batch: DetectionBatch) -> InstanceBatch:
    fields = {name: getattr(batch, name) for name in batch.__dataclass_fields__}
    return InstanceBatch(**fields, masks=((batch.images[0][:1] > 127),))


def instance(augmentation: AnyAugmentation, seed: int) -> InstanceBatch:
    moved = augmented_batch(with_mask(rectangle()), [augmentation], [seed])
    assert isinstance(moved, InstanceBatch)
    return moved


def detection(
    augmentation: AnyAugmentation, seed: int, batch: DetectionBatch | None = None
) -> DetectionBatch:
    moved = augmented_batch(batch or rectangle(), [augmentation], [seed])
    assert isinstance(moved, DetectionBatch)
    return moved


def box_around(white: Tensor) -> list[float]:
    """Return the xyxy box around the true pixels of (h, w)."""
    rows, columns = torch.nonzero(white, as_tuple=True)
    ends = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return [float(end) for end in ends]


def numbered() -> SegmentationBatch:
    """A picture whose grey value is its label, so that both can be compared after a change."""
    labels = torch.from_numpy(np.kron(np.arange(16).reshape(4, 4), np.ones((16, 16))))
    masks = labels.to(torch.uint8)[None]
    return SegmentationBatch(("a",), masks[:, None].repeat(1, 3, 1, 1), masks)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("size_hw", [(64, 64), (48, 70)])
def test_a_flipped_or_turned_box_surrounds_its_pixels_exactly(
    name: str, seed: int, size_hw: tuple[int, int]
) -> None:
    moved = detection(always(name), seed, rectangle(size_hw))
    assert moved.boxes_xyxy[0].tolist() == [box_around(moved.images[0][0] > 127)]
    assert moved.areas[0].tolist() == [24.0 * 18.0]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", PARTS)
def test_a_moved_box_surrounds_its_pixels_tightly(name: str, seed: int) -> None:
    gentle: dict[str, dict[str, object]] = {
        "elastic": {"sigma": 2.0},
        "random_resized_crop": {"scale": [0.5, 1]},
    }
    moved = detection(always(name, **gentle.get(name, {})), seed)
    assert len(moved.labels[0]) == 1
    around = box_around(moved.images[0][0] > 150)  # above the grey from outside
    assert moved.boxes_xyxy[0][0].tolist() == pytest.approx(around, abs=1.5)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [*EXACT, *PARTS])
def test_an_instance_has_the_box_and_the_area_of_its_mask(name: str, seed: int) -> None:
    moved = instance(always(name), seed)
    assert moved.masks[0].dtype == torch.bool
    for mask, box, area in zip(moved.masks[0], moved.boxes_xyxy[0], moved.areas[0], strict=True):
        assert box.tolist() == box_around(mask)
        assert area.item() == pytest.approx(mask.sum().item())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [*EXACT, *PARTS])
def test_a_mask_moves_with_its_picture(name: str, seed: int) -> None:
    moved = instance(always(name), seed)
    bright = moved.images[0][0] > 150
    mask = moved.masks[0].any(0)
    # Bilinear pictures and nearest masks may disagree along the outline.
    assert (bright ^ mask).sum() <= 0.08 * bright.sum() + 8


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [*EXACT, *PARTS])
def test_a_label_map_moves_with_its_picture_and_is_never_mixed(name: str, seed: int) -> None:
    before = numbered()
    moved = augmented_batch(before, [always(name)], [seed])
    assert isinstance(moved, SegmentationBatch)
    labels, pixels = moved.masks[0], moved.images[0, 0]
    assert labels.dtype == torch.uint8
    assert set(labels.flatten().tolist()) <= {*range(16), IGNORE}
    inside = labels != IGNORE
    agreeing = (labels[inside].int() - pixels[inside].int()).abs() <= 1
    assert agreeing.float().mean() > 0.85  # all but the seams between labels


def test_what_comes_from_outside_is_grey_and_ignored() -> None:
    moved = augmented_batch(numbered(), [always("rotate", degrees=180)], [3])
    assert isinstance(moved, SegmentationBatch)
    outside = moved.masks[0] == IGNORE
    assert outside.any()
    deep = torch.from_numpy(cv2.erode(outside.numpy().astype(np.uint8), np.ones((5, 5)))) > 0
    assert (moved.images[0, :, deep] == GREY).all()


@pytest.mark.parametrize("name", COLOURS)
def test_colours_change_and_nothing_moves(name: str) -> None:
    batch = with_mask(rectangle())
    moved = instance(always(name), 1)
    assert torch.equal(moved.boxes_xyxy[0], batch.boxes_xyxy[0])
    assert torch.equal(moved.masks[0], batch.masks[0])
    segmented = augmented_batch(numbered(), [always(name)], [1])
    assert isinstance(segmented, SegmentationBatch)
    assert torch.equal(segmented.masks, numbered().masks)
    assert not torch.equal(segmented.images, numbered().images)


@pytest.mark.parametrize("name", NAMES)
def test_all_frames_of_a_clip_change_alike(name: str) -> None:
    frame = torch.randint(0, 256, (3, 24, 24), generator=torch.Generator().manual_seed(0))
    clip = frame.to(torch.uint8)[:, None].repeat(1, 5, 1, 1)
    moved = augmented_batch(ClipBatch(("v",), clip[None], torch.tensor([1])), [always(name)], [7])
    assert isinstance(moved, ClipBatch)
    assert moved.clips.shape == (1, 3, 5, 24, 24)
    assert all(torch.equal(moved.clips[0, :, 0], moved.clips[0, :, t]) for t in range(1, 5))


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_changes_as_its_frames_would(name: str) -> None:
    pixels = torch.randint(0, 256, (3, 2, 24, 24), generator=torch.Generator().manual_seed(0))
    clip = pixels.to(torch.uint8)
    moved = augmented_batch(ClipBatch(("v",), clip[None], torch.tensor([1])), [always(name)], [7])
    assert isinstance(moved, ClipBatch)
    for time in range(2):
        single = ClassificationBatch(("v",), clip[None, :, time], torch.tensor([1]))
        alone = augmented_batch(single, [always(name)], [7])
        assert isinstance(alone, ClassificationBatch)
        assert torch.equal(moved.clips[:, :, time], alone.images)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_without_objects_stays_without(name: str) -> None:
    full = with_mask(rectangle((32, 32), (2, 2, 8, 8)))
    nothing = {
        field: (getattr(full, field)[0][:0],)
        for field in ("boxes_xyxy", "labels", "areas", "is_crowd", "is_difficult", "masks")
    }
    batch = InstanceBatch(("a",), full.images, full.stored_hw, **nothing)
    moved = augmented_batch(batch, [always(name)], [0])
    assert isinstance(moved, InstanceBatch)
    assert moved.boxes_xyxy[0].shape == (0, 4)
    assert moved.masks[0].shape == (0, 32, 32)


def test_what_a_crop_cuts_off_is_dropped_with_everything_of_it() -> None:
    corner = rectangle((64, 64), (0, 0, 6, 6))
    cut = [detection(always("shift", fraction=0.5), seed, corner) for seed in range(40)]
    left = [len(batch.labels[0]) for batch in cut]
    assert set(left) == {0, 1}
    for batch in cut:
        count = len(batch.labels[0])
        rows = (batch.boxes_xyxy, batch.areas, batch.is_crowd, batch.is_difficult)
        assert [len(each[0]) for each in rows] == [count] * 4
        for box, area in zip(batch.boxes_xyxy[0], batch.areas[0], strict=True):
            x1, y1, x2, y2 = box.tolist()
            assert 0 <= x1 < x2 <= 64
            assert 0 <= y1 < y2 <= 64
            assert area.item() == pytest.approx((x2 - x1) * (y2 - y1))
            assert area.item() >= 3.6


def test_areas_grow_with_the_picture() -> None:
    moved = detection(always("scale", factor=[1.5, 1.5]), 0, rectangle((64, 64), (28, 28, 36, 36)))
    assert moved.areas[0].tolist() == pytest.approx([64 * 2.25])
    assert moved.boxes_xyxy[0][0].tolist() == pytest.approx([26, 26, 38, 38])


def test_an_area_does_not_grow_with_the_box_of_a_turned_picture() -> None:
    moved = detection(always("rotate", degrees=45), 1, rectangle((64, 64), (28, 28, 36, 36)))
    x1, y1, x2, y2 = moved.boxes_xyxy[0][0].tolist()
    assert (x2 - x1) * (y2 - y1) > 70
    assert moved.areas[0].tolist() == pytest.approx([64.0])


def smooth(side: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2), dtype=np.uint8)


@pytest.mark.parametrize("name", ["rotate", "scale"])
def test_turning_and_scaling_agree_with_opencv_up_to_the_border(name: str) -> None:
    image = smooth(48)
    batch = ClassificationBatch(
        ("a",), torch.from_numpy(image.transpose(2, 0, 1))[None], torch.tensor([0])
    )
    turn, shrink = always("rotate", degrees=30), always("scale", factor=[0.7, 0.7])
    moved = augmented_batch(batch, [turn if name == "rotate" else shrink], [5])
    assert isinstance(moved, ClassificationBatch)
    random = Random(5)
    random.random()
    angle, factor = (random.uniform(-30, 30), 1.0) if name == "rotate" else (0.0, 0.7)
    matrix = cv2.getRotationMatrix2D((23.5, 23.5), angle, factor)
    expected = cv2.warpAffine(image, matrix, (48, 48), borderValue=(GREY, GREY, GREY))
    got = moved.images[0].permute(1, 2, 0).numpy()
    assert np.abs(got.astype(int) - expected).max() <= 3  # OpenCV may round places to 1/32 pixel


def displacement(size: int, sigma: float, grid: int, seed: int) -> NDArray[np.float32]:
    """Return the (h, w, 2) displacements of one draw, in pixels."""
    change = drawn(
        always("elastic", sigma=sigma, grid=grid), Random(seed), (size, size), torch.device("cpu")
    )
    assert change is not None
    assert change.warp is not None
    return np.asarray(change.warp[0] * (size / 2))


def test_elastic_displacements_have_the_standard_deviation_asked_for() -> None:
    control = np.stack([displacement(33, 10.0, 3, seed)[::16, ::16] for seed in range(300)])
    count = control.size
    assert abs(control.mean()) < 4 * 10 / math.sqrt(count)
    assert control.std() == pytest.approx(10, rel=4 / math.sqrt(2 * count))
    # Right and down are drawn apart, and so are the points.
    columns = control.reshape(300, -1)
    correlations = np.corrcoef(columns.T) - np.eye(columns.shape[1])
    assert np.abs(correlations).max() < 0.3


def test_elastic_displacements_are_smooth_between_the_points() -> None:
    field = displacement(65, 10.0, 3, 0)
    steps = np.abs(np.diff(field, axis=0)).max()
    assert steps < 0.06 * (field.max() - field.min())


def test_a_local_warp_leaves_far_places_alone() -> None:
    settings = always("local_warp", points=1, radius=0.05, strength=0.05)
    for seed in range(5):
        change = drawn(settings, Random(seed), (100, 100), torch.device("cpu"))
        assert change is not None
        assert change.warp is not None
        length = (change.warp[0] * 50).norm(dim=-1)
        assert length.max() <= 5
        assert (length > 0.05).float().mean() < 0.15


def test_a_window_has_the_share_and_the_shape_asked_for() -> None:
    # A picture of coordinates tells where its window was.
    rows, columns = torch.meshgrid(torch.arange(200), torch.arange(200), indexing="ij")
    image = torch.stack([rows, columns, rows]).to(torch.uint8)
    settings = always("random_resized_crop", scale=[0.25, 0.5], ratio=[0.5, 2])
    for seed in range(20):
        batch = ClassificationBatch(("a",), image[None], torch.tensor([0]))
        moved = augmented_batch(batch, [settings], [seed])
        assert isinstance(moved, ClassificationBatch)
        height = (moved.images[0, 0].max().int() - moved.images[0, 0].min().int()).item() + 1
        width = (moved.images[0, 1].max().int() - moved.images[0, 1].min().int()).item() + 1
        assert 0.23 <= height * width / 200**2 <= 0.53
        assert 0.47 <= width / height <= 2.1


def test_cutout_hides_a_square_of_the_size_asked_for() -> None:
    white = torch.full((1, 3, 40, 40), 255, dtype=torch.uint8)
    hidden = []
    for seed in range(200):
        batch = ClassificationBatch(("a",), white, torch.tensor([0]))
        moved = augmented_batch(batch, [always("cutout", size=0.2)], [seed])
        assert isinstance(moved, ClassificationBatch)
        assert set(moved.images.flatten().tolist()) == {GREY, 255}
        hidden.append((moved.images[0, 0] == GREY).sum().item())
    assert max(hidden) == 64
    assert min(hidden) < 64  # its middle may be at the border
