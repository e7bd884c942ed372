"""A sample as a picture for people: label map or boxes in colours, drawn over what is on disk."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from data_pipeline.samples import (
    IGNORE,
    ClipSample,
    DetectionSample,
    InstanceSample,
    Sample,
    SegmentationSample,
)

# Okabe and Ito 2008: told apart with any colour vision. Further classes take them again.
COLOURS: tuple[tuple[int, int, int], ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
IGNORED_COLOUR = (255, 255, 255)  # void, crowds
OPACITY = 0.45
LABEL_PX = 13  # height of a class name
JPEG_QUALITY = 82


def drawn(sample: Sample, class_names: Sequence[str], *, side: int) -> NDArray[np.uint8]:
    """Draw a sample with its annotation; of a clip, the frame in the middle.

    Args:
        sample: Whatever its size.
        class_names: In label order.
        side: Longer side of the result, pixels.

    Returns:
        (h, w, 3) RGB.
    """
    match sample:
        case SegmentationSample():
            first = 1 if class_names and class_names[0] == "background" else 0
            return _scaled(_with_labels(sample.image, sample.mask, first), side)
        case DetectionSample():
            image = _with_masks(sample) if isinstance(sample, InstanceSample) else sample.image
            return _with_boxes(_scaled(image, side), sample, class_names)
        case ClipSample():
            return _scaled(sample.frames[len(sample.frames) // 2], side)
        case _:
            return _scaled(sample.image, side)


def as_data_uri(image: NDArray[np.uint8]) -> str:
    """Encode an (h, w, 3) RGB picture as JPEG, for a page that loads nothing."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode('ascii')}"


def _scaled(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    contiguous = np.ascontiguousarray(image)
    return cv2.resize(contiguous, size, interpolation=method)  # type: ignore[return-value]  # uint8 stays uint8


def _colour(label: int) -> tuple[int, int, int]:
    return COLOURS[label % len(COLOURS)]


def _with_labels(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], first: int
) -> NDArray[np.uint8]:
    """Tint every pixel by its label; background, where there is one, stays as it is."""
    table = np.array([_colour(label - first) for label in range(IGNORE + 1)], dtype=np.uint8)
    table[IGNORE] = IGNORED_COLOUR
    tinted = cv2.addWeighted(image, 1 - OPACITY, table[mask], OPACITY, 0)
    shown = mask >= first
    return np.where(shown[..., None], tinted, image).astype(np.uint8)


def _with_masks(sample: InstanceSample) -> NDArray[np.uint8]:
    image = sample.image.copy()
    for label, mask in zip(sample.labels, sample.masks, strict=True):
        colour = np.array(_colour(int(label)))
        image[mask] = (image[mask] * (1 - OPACITY) + colour * OPACITY).astype(np.uint8)
    return image


def _with_boxes(
    image: NDArray[np.uint8], sample: DetectionSample, class_names: Sequence[str]
) -> NDArray[np.uint8]:
    """Draw boxes on the scaled picture, so that lines and words have one size."""
    scale = np.array([image.shape[1] / sample.image.shape[1]] * 4, dtype=np.float32)
    scale[1::2] = image.shape[0] / sample.image.shape[0]
    for box, label, is_crowd in zip(
        sample.boxes_xyxy * scale, sample.labels, sample.is_crowd, strict=True
    ):
        x1, y1, x2, y2 = (round(float(value)) for value in box)
        colour = IGNORED_COLOUR if is_crowd else _colour(int(label))
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, 2)
        _write(image, class_names[int(label)], (x1, y1), colour)
    return image


def _write(
    image: NDArray[np.uint8], text: str, corner_xy: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    """Write a class name above a corner, or inside where there is no room; OpenCV knows ASCII."""
    printable = text.encode("ascii", errors="replace").decode()
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, LABEL_PX / 32
    (width, height), _ = cv2.getTextSize(printable, font, scale, 1)
    left = max(0, min(corner_xy[0], image.shape[1] - width))
    base = corner_xy[1] - 3 if corner_xy[1] > height + 4 else corner_xy[1] + height + 4
    cv2.rectangle(image, (left, base - height - 2), (left + width, base + 3), colour, -1)
    ink = (0, 0, 0) if sum(colour) > 330 else (255, 255, 255)
    cv2.putText(image, printable, (left, base), font, scale, ink, 1, cv2.LINE_AA)
