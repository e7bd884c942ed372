"""What changes of a picture do to the motion that is shown beside it."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from data_pipeline.datasets.settings.flow import Flow
from data_pipeline.samples import STILL, ClipBatch
from data_pipeline.transforms.batches import augmented_batch, normalized_batch
from data_pipeline.transforms.settings import (
    AnyAugmentation,
    Blur,
    ColorJitter,
    Cutout,
    HorizontalFlip,
    Normalization,
    RandomCrop,
    RandomResizedCrop,
    Rotate,
    Rotate90,
    Scale,
    VerticalFlip,
)
from data_pipeline.video.flow import ClipFlow

SIDE = 48


def frames() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a smooth texture that moves right and up."""
    noise = torch.rand(1, 3, 14, 14, generator=torch.Generator().manual_seed(0))
    whole = interpolate(noise, (64, 64), mode="bicubic").clamp(0, 1).mul(255)[0].permute(1, 2, 0)
    pixels = np.asarray(whole.round().to(torch.uint8).numpy())
    return np.stack([pixels[4 + t : 4 + t + SIDE, 12 - 2 * t : 12 - 2 * t + SIDE] for t in (0, 1)])


def with_flow(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
    """Return (1, 5, 2, h, w) frames with their motion."""
    clip = ClipFlow(Flow(bound=10), 1).of_clip(pixels, np.arange(2))
    return torch.from_numpy(clip).permute(3, 0, 1, 2)[None]


def changed(clips: Tensor, *augment: AnyAugmentation, seed: int = 3) -> Tensor:
    batch = ClipBatch(("v",), clips, torch.tensor([0]))
    moved = augmented_batch(batch, augment, [seed])
    assert isinstance(moved, ClipBatch)
    return moved.clips


def uniform(right: int, down: int) -> Tensor:
    """Return a clip of noise in which every pixel has the same motion, in steps."""
    colours = torch.randint(0, 256, (1, 3, 2, 24, 24), generator=torch.Generator().manual_seed(1))
    flow = torch.tensor([right, down]).add(STILL).reshape(1, 2, 1, 1, 1).expand(1, 2, 2, 24, 24)
    return torch.cat([colours, flow], dim=1).to(torch.uint8)


def arrow(clips: Tensor) -> list[float]:
    """Return the motion in the middle, in steps."""
    return [float(each) - STILL for each in clips[0, 3:, 0, 12, 12]]


@pytest.mark.parametrize(
    ("flip", "axis"), [(HorizontalFlip(p=1), 2), (VerticalFlip(p=1), 1), (Rotate90(p=1), None)]
)
def test_flow_of_turned_frames_is_turned_flow(flip: AnyAugmentation, axis: int | None) -> None:
    pixels = frames()
    moved = changed(with_flow(pixels), flip)
    # the frames that came out of it, whatever the turn that was drawn
    turned = moved[0, :3].permute(1, 2, 3, 0).numpy()
    if axis is not None:
        assert (turned == np.flip(pixels, axis)).all()
    again = with_flow(np.ascontiguousarray(turned))
    inner = slice(12, -12)
    difference = (again[0, 3:, 0] - moved[0, 3:, 0].float())[:, inner, inner].abs()
    assert difference.max() <= 0.2 * 12.7 + 1
    assert (moved[0, 3:, 0].float() - STILL).abs().mean() > 8


@pytest.mark.parametrize("flip", [HorizontalFlip(p=1), VerticalFlip(p=1)])
def test_two_flips_give_back_every_byte(flip: AnyAugmentation) -> None:
    clips = with_flow(frames())
    assert torch.equal(changed(clips, flip, flip), clips)


def test_mirroring_left_and_right_negates_motion_right_alone() -> None:
    clips = uniform(50, -20)
    assert arrow(changed(clips, HorizontalFlip(p=1))) == [-50, -20]
    assert arrow(changed(clips, VerticalFlip(p=1))) == [50, 20]


def test_turning_turns_arrows_by_the_same_angle() -> None:
    moved = changed(uniform(100, 0), Rotate(degrees=90), seed=5)
    right, down = arrow(moved)
    assert math.hypot(right, down) == pytest.approx(100, abs=1.5)
    assert abs(down) > 10
    # The angle is that of the picture: a bar that lay in it lies along the arrow.
    bar = uniform(100, 0)
    bar[:, :3] = 0
    bar[:, :3, :, 11:13] = 255
    turned = changed(bar, Rotate(degrees=90), seed=5)[0, 0, 0].float()
    rows, columns = torch.meshgrid(torch.arange(24) - 11.5, torch.arange(24) - 11.5, indexing="ij")
    near = (rows**2 + columns**2 < 100) & (turned > 180)  # inside the circle that stays in sight
    along = (columns[near] * right + rows[near] * down).abs() / 100
    across = (rows[near] * right - columns[near] * down).abs() / 100
    assert across.max() < 2.5
    assert along.max() > 6


def test_scaling_stretches_arrows() -> None:
    assert arrow(changed(uniform(40, -20), Scale(factor=(2, 2)))) == [80, -40]
    assert arrow(changed(uniform(100, 10), Scale(factor=(2, 2)))) == [127, 20]
    window = RandomResizedCrop(scale=(0.25, 0.25), ratio=(1, 1))
    assert arrow(changed(uniform(40, -20), window)) == [80, -40]


def test_what_comes_in_from_outside_is_still() -> None:
    moved = changed(uniform(60, 60), RandomCrop(padding=12), seed=1)
    flow, colours = moved[0, 3:, 0], moved[0, :3, 0]
    is_outside = (flow == STILL).all(dim=0)
    assert is_outside.any()
    assert (colours[:, is_outside] == 114).all()
    assert (flow[:, ~is_outside] == STILL + 60).all()


@pytest.mark.parametrize("change", [ColorJitter(), Blur(p=1)])
def test_changes_of_colours_leave_flow_alone(change: AnyAugmentation) -> None:
    clips = with_flow(frames())
    moved = changed(clips, change)
    assert torch.equal(moved[:, 3:], clips[:, 3:])
    assert torch.equal(moved[:, :3], changed(clips[:, :3], change))
    assert not torch.equal(moved[:, :3], clips[:, :3])


def test_what_is_cut_out_has_no_motion() -> None:
    moved = changed(uniform(60, 60), Cutout(size=0.5))
    hidden = (moved[0, :3, 0] == 114).all(dim=0)
    assert hidden.any()
    assert (moved[0, 3:, 0, hidden] == STILL).all()


def test_normalising_leaves_flow_as_it_is() -> None:
    clips = with_flow(frames())
    normalize = Normalization(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    whole = normalized_batch(ClipBatch(("v",), clips, torch.tensor([0])), normalize)
    colours = normalized_batch(ClipBatch(("v",), clips[:, :3], torch.tensor([0])), normalize)
    assert isinstance(whole, ClipBatch)
    assert isinstance(colours, ClipBatch)
    assert torch.equal(whole.clips[:, :3], colours.clips)
    assert torch.equal(whole.clips[:, 3:], clips[:, 3:].float())
