"""What is drawn for one picture of a batch, and how it moves all that belongs to the picture.

A `Change` moves torchvision's tv_tensors: the picture or clip, its label map, its masks and its
boxes, each by the kernel of its kind. So a new augmentation is a settings class and one function
here. What is drawn comes from a generator of the picture's own.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor
from torchvision import tv_tensors  # type: ignore[import-untyped]
from torchvision.transforms.v2 import functional  # type: ignore[import-untyped]
from torchvision.transforms.v2.functional import InterpolationMode  # type: ignore[import-untyped]

from data_pipeline.samples import COLOURS
from data_pipeline.transforms.moved_flow import UNTURNED, Vectors, rotation, stretching
from data_pipeline.transforms.settings import (
    AnyAugmentation,
    Blur,
    ColorJitter,
    Cutout,
    Elastic,
    HorizontalFlip,
    LocalWarp,
    PcaColor,
    RandomCrop,
    RandomErasing,
    RandomResizedCrop,
    Rotate,
    Rotate90,
    Scale,
    Shift,
    VerticalFlip,
)
from data_pipeline.transforms.warps import drags, grid_displacements, normalised

Size: TypeAlias = tuple[int, int]  # height, width, pixels

Move: TypeAlias = Callable[[Any, Any], Any]  # a tv_tensor and what fills it from outside
BILINEAR = InterpolationMode.BILINEAR
TRIES = 10  # windows that are drawn until one fits into the picture
Window: TypeAlias = tuple[int, int, int, int]  # top, left, height, width, pixels

# Of the colours of ImageNet's training pixels, from 0 to 1, as fb.resnet.torch has them: a row
# per axis (red, green, blue), and the variance along it.
COLOUR_AXES = ((-0.5675, -0.5808, -0.5836), (0.7192, -0.0045, -0.6948), (0.4009, -0.8140, 0.4203))
COLOUR_VARIANCES = (0.2175, 0.0188, 0.0045)


@dataclass(frozen=True, slots=True)
class Change:
    """What was drawn for one picture.

    Attributes:
        move: Moves a tv_tensor of any kind; the number fills what comes in from outside.
        reach: Whether it changes colours alone, moves the picture as a whole, or may move parts
            of it out of sight.
        enlarges: Factor of areas.
        warp: (1, h, w, 2) where each pixel comes from, less where it is, in units of half the
            width and height; None where straight lines stay straight.
        mirrors: Dimension whose order is reversed, and nothing else; for the shortest way.
        vectors: What becomes of motion (right, down) where the picture moves; None: nothing is
            done to flow.
    """

    move: Move
    reach: Literal["colours", "whole", "parts"]
    enlarges: float = 1.0
    warp: Tensor | None = None
    mirrors: int | None = None
    vectors: Vectors | None = UNTURNED

    def moved(self, part: Any, fill: int) -> Tensor:  # noqa: ANN401  # torchvision is not typed
        """Move a tv_tensor and return the plain tensor."""
        tensor: Tensor = self.move(part, fill).as_subclass(Tensor)
        return tensor


def drawn(
    augmentation: AnyAugmentation, random: Random, size_hw: Size, device: torch.device
) -> Change | None:
    """Draw what happens to a picture of `size_hw`; None: nothing."""
    if random.random() >= augmentation.p:
        return None
    return DRAWS[type(augmentation)](augmentation, random, size_hw, device)


def _rotate_90(_: Rotate90, random: Random, *__: object) -> Change:
    turns = random.randrange(1, 4)

    def move(part: Any, _fill: int) -> Any:  # noqa: ANN401  # torchvision is not typed
        if isinstance(part, tv_tensors.BoundingBoxes):
            return _turned_boxes(part, turns)
        turned = torch.rot90(part.as_subclass(Tensor), turns, dims=(-2, -1))
        return tv_tensors.wrap(turned, like=part)

    return Change(move, "whole", vectors=rotation(90.0 * turns))


def _turned_boxes(boxes: Any, turns: int) -> Any:  # noqa: ANN401  # torchvision is not typed
    """Turn boxes counterclockwise: each quarter takes the point (x, y) to (y, width - x)."""
    xyxy, (height, width) = boxes.as_subclass(Tensor), boxes.canvas_size
    for _ in range(turns):
        x1, y1, x2, y2 = xyxy.unbind(1)
        xyxy = torch.stack([y1, width - x2, y2, width - x1], dim=1)
        height, width = width, height
    return tv_tensors.wrap(xyxy, like=boxes, canvas_size=(height, width))


def _rotate(settings: Rotate, random: Random, *_: object) -> Change:
    angle = random.uniform(-settings.degrees, settings.degrees)

    def turn(part: Any, fill: int | None) -> Any:  # noqa: ANN401  # torchvision is not typed
        return functional.rotate(part, angle, interpolation=BILINEAR, fill=fill)

    return Change(_resampling(turn), "parts", vectors=rotation(angle))


def _scale(settings: Scale, random: Random, *_: object) -> Change:
    low, high = settings.factor
    factor = math.exp(random.uniform(math.log(low), math.log(high)))
    still: dict[str, Any] = {"angle": 0.0, "translate": [0, 0], "shear": [0.0, 0.0]}

    def zoom(part: Any, fill: int | None) -> Any:  # noqa: ANN401  # torchvision is not typed
        return functional.affine(part, **still, scale=factor, interpolation=BILINEAR, fill=fill)

    vectors = stretching(factor, factor)
    return Change(_resampling(zoom), "parts", enlarges=factor**2, vectors=vectors)


def _resampling(move: Move) -> Move:
    """Blend pictures evenly into what comes from outside.

    torchvision weighs the border of a filled picture twice, which leaves a dark seam around it:
    so pictures are moved unfilled (None: zeros), as differences from the fill.
    """

    def resample(part: Any, fill: int) -> Any:  # noqa: ANN401  # torchvision is not typed
        if not isinstance(part, tv_tensors.Image | tv_tensors.Video):
            return move(part, fill)
        differences = tv_tensors.wrap(part.as_subclass(Tensor).float() - fill, like=part)
        moved = move(differences, None).as_subclass(Tensor) + fill
        return tv_tensors.wrap(moved.round_().to(torch.uint8), like=part)

    return resample


def _shift(settings: Shift, random: Random, size_hw: Size, *_: object) -> Change:
    down, right = (
        round(side * random.uniform(-settings.fraction, settings.fraction)) for side in size_hw
    )
    return _moved_by(down, right)


def _random_crop(settings: RandomCrop, random: Random, *_: object) -> Change:
    down, right = (random.randint(-settings.padding, settings.padding) for _ in range(2))
    return _moved_by(down, right)


def _moved_by(down: int, right: int) -> Change:
    """Move by whole pixels."""
    padding = [max(right, 0), max(down, 0), max(-right, 0), max(-down, 0)]  # left, top, right, …

    def move(part: Any, fill: int) -> Any:  # noqa: ANN401  # torchvision is not typed
        height, width = functional.get_size(part)
        padded = functional.pad(part, padding, fill=fill)
        return functional.crop(padded, max(-down, 0), max(-right, 0), height, width)

    return Change(move, "parts")


def _random_resized_crop(
    settings: RandomResizedCrop, random: Random, size_hw: Size, *_: object
) -> Change:
    top, left, height, width = _window(settings, random, size_hw)

    def move(part: Any, _fill: int) -> Any:  # noqa: ANN401  # torchvision is not typed
        part = functional.crop(part, top, left, height, width)
        if isinstance(part, tv_tensors.Mask):  # torchvision's takes the corner of a pixel
            return tv_tensors.wrap(_nearest(part.as_subclass(Tensor), size_hw), like=part)
        return functional.resize(part, list(size_hw), antialias=True)

    down, right = size_hw[0] / height, size_hw[1] / width
    return Change(move, "parts", enlarges=down * right, vectors=stretching(right, down))


def _window(settings: RandomResizedCrop, random: Random, size_hw: Size) -> Window:
    """Draw a window; the largest one in the middle where none fits."""
    fitting = _fitting_window(settings, random, size_hw)
    if fitting is not None:
        return fitting
    full_height, full_width = size_hw
    ratio = min(max(full_width / full_height, settings.ratio[0]), settings.ratio[1])
    height = min(full_height, max(1, round(full_width / ratio)))
    width = min(full_width, max(1, round(full_height * ratio)))
    return (full_height - height) // 2, (full_width - width) // 2, height, width


def _fitting_window(
    settings: RandomResizedCrop | RandomErasing, random: Random, size_hw: Size
) -> Window | None:
    """Draw a window; None where none of a few fits into the picture."""
    full_height, full_width = size_hw
    low, high = (math.log(ratio) for ratio in settings.ratio)
    for _ in range(TRIES):
        area = full_height * full_width * random.uniform(*settings.scale)
        ratio = math.exp(random.uniform(low, high))
        height, width = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < height <= full_height and 0 < width <= full_width:
            top = random.randint(0, full_height - height)
            return top, random.randint(0, full_width - width), height, width
    return None


def _nearest(labels: Tensor, size_hw: Size) -> Tensor:
    """Scale (…, h, w) labels by the pixel under each centre."""
    flat = labels.reshape(1, -1, *labels.shape[-2:])
    if not flat.shape[1]:
        return labels.new_zeros((*labels.shape[:-2], *size_hw))
    scaled = torch.nn.functional.interpolate(flat, size_hw, mode="nearest-exact")
    return scaled.reshape(*labels.shape[:-2], *size_hw)


def _color_jitter(settings: ColorJitter, random: Random, *_: object) -> Change:
    steps: list[tuple[Callable[[Any, float], Any], float]] = [
        (adjust, random.uniform(1 - spread, 1 + spread))
        for adjust, spread in (
            (functional.adjust_brightness, settings.brightness),
            (functional.adjust_contrast, settings.contrast),
            (functional.adjust_saturation, settings.saturation),
        )
        if spread
    ]
    if settings.hue:
        steps.append((functional.adjust_hue, random.uniform(-settings.hue, settings.hue)))
    random.shuffle(steps)

    def move(part: Any, _fill: int) -> Any:  # noqa: ANN401  # torchvision is not typed
        for adjust, value in steps:
            part = adjust(part, value)
        return part

    return Change(move, "colours", vectors=None)


def _pca_color(settings: PcaColor, random: Random, _size_hw: Size, device: torch.device) -> Change:
    lengths = [variance * random.gauss(0, settings.std) for variance in COLOUR_VARIANCES]
    added = torch.tensor(lengths) @ torch.tensor(COLOUR_AXES) * 255
    added = added.reshape(3, 1, 1).to(device)

    def move(part: Any, _fill: int) -> Any:  # noqa: ANN401  # torchvision is not typed
        shifted = (part.as_subclass(Tensor) + added).round_().clamp_(0, 255)
        return tv_tensors.wrap(shifted.to(torch.uint8), like=part)

    return Change(move, "colours", vectors=None)


def _blur(settings: Blur, random: Random, size_hw: Size, *_: object) -> Change:
    sigma = random.uniform(*settings.sigma)
    # Beyond 3 sigma lie 0.3 %; torchvision mirrors at the border, so less than a side may be seen.
    reach = min(math.ceil(3 * sigma), min(size_hw) - 1)
    kernel = [2 * reach + 1] * 2
    return Change(
        lambda part, _fill: functional.gaussian_blur(part, kernel, [sigma] * 2),
        "colours",
        vectors=None,
    )


def _cutout(settings: Cutout, random: Random, size_hw: Size, *_: object) -> Change:
    side = max(1, round(settings.size * min(size_hw)))
    corners = [
        [random.randrange(each) - side // 2 for each in size_hw] for _ in range(settings.holes)
    ]

    def move(part: Any, fill: int) -> Any:  # noqa: ANN401  # torchvision is not typed
        grey = part.as_subclass(Tensor).new_full((1, 1, 1), fill)
        for top, left in corners:
            height, width = side + min(top, 0), side + min(left, 0)
            part = functional.erase(part, max(top, 0), max(left, 0), height, width, v=grey)
        return part

    return Change(move, "colours")


def _random_erasing(
    settings: RandomErasing, random: Random, size_hw: Size, device: torch.device
) -> Change | None:
    window = _fitting_window(settings, random, size_hw)
    if window is None:
        return None
    _, _, height, width = window
    noise = random.randbytes(COLOURS * height * width)
    values = torch.frombuffer(bytearray(noise), dtype=torch.uint8).to(device)
    values = values.reshape(COLOURS, height, width)

    def move(part: Any, fill: int) -> Any:  # noqa: ANN401  # torchvision is not typed
        is_flow = part.shape[-3] != COLOURS
        still = part.as_subclass(Tensor).new_full((1, 1, 1), fill)
        return functional.erase(part, *window, v=still if is_flow else values)

    return Change(move, "colours")


def _elastic(settings: Elastic, random: Random, size_hw: Size, device: torch.device) -> Change:
    return _warped(normalised(grid_displacements(settings, random, size_hw, device), size_hw))


def _local_warp(
    settings: LocalWarp, random: Random, size_hw: Size, device: torch.device
) -> Change:
    return _warped(normalised(drags(settings, random, size_hw, device), size_hw))


def _warped(displacement: Tensor) -> Change:
    def move(part: Any, fill: int | None) -> Any:  # noqa: ANN401  # torchvision is not typed
        return functional.elastic(part, displacement, fill=fill)

    return Change(_resampling(move), "parts", warp=displacement)


LEFT_RIGHT = Change(
    lambda part, _: functional.horizontal_flip(part),
    "whole",
    mirrors=-1,
    vectors=stretching(-1, 1),
)
TOP_BOTTOM = Change(
    lambda part, _: functional.vertical_flip(part), "whole", mirrors=-2, vectors=stretching(1, -1)
)
Draw: TypeAlias = Callable[[Any, Random, Size, torch.device], Change | None]
DRAWS: Mapping[type, Draw] = MappingProxyType(
    {
        HorizontalFlip: lambda *_: LEFT_RIGHT,
        VerticalFlip: lambda *_: TOP_BOTTOM,
        Rotate90: _rotate_90,
        Rotate: _rotate,
        RandomCrop: _random_crop,
        RandomResizedCrop: _random_resized_crop,
        Shift: _shift,
        Scale: _scale,
        ColorJitter: _color_jitter,
        PcaColor: _pca_color,
        Blur: _blur,
        Cutout: _cutout,
        RandomErasing: _random_erasing,
        Elastic: _elastic,
        LocalWarp: _local_warp,
    }
)
