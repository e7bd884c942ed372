"""What a picture or video looks like, in a few bytes that survive re-encoding and resizing.

A perceptual hash (`imagehash.phash`: signs of low frequencies, 64 bits) of the picture, and one
of its mirror image. Copies of a picture at JPEG quality 20 to 95 or at other sizes differ in at
most 4 bits, and their 32 x 32 thumbnails correlate by 0.99 or more; different pictures that come
within 6 bits of each other correlate by less than 0.98 (276 COCO, 364 microscope, 61 CamVid and
90 other pictures, all pairs).
"""

import hashlib
from dataclasses import dataclass
from typing import cast

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_pipeline.datasets.dataset import Item, Listed, VideoItem, is_video
from data_pipeline.errors import InvalidDataError
from data_pipeline.images import image_size
from data_pipeline.samples import ClipSample

VERSION = 1  # raised when the same file would get another likeness
SIDE = 64  # pixels of the small square that all is computed from
THUMBNAIL = 32  # pixels; what two pictures are compared by
SMALLEST = 32  # pixels of the shorter side: 28 pixels of one digit look like many others
FLAT = 4.0  # standard deviation of grey levels below which there is nothing to recognise
DECODED_SIDE = 128  # pixels of the shorter side to decode to, at least
VIDEO_FRAMES = 3  # spread evenly over a video
CONTENT_BYTES = 32  # SHA-256


@dataclass(frozen=True, slots=True)
class Likeness:
    """What is compared of a picture (k = 1) or a video (k = VIDEO_FRAMES)."""

    content: bytes  # SHA-256 of what is on disk
    hashes: NDArray[np.uint64]  # (k,)
    mirrored: NDArray[np.uint64]  # (k,) of the mirror images
    is_telling: bool  # False: too small or too flat for its hashes to mean anything


def likeness_of(item: Listed, *, shares_file: bool) -> Likeness:
    """Look at an item.

    Args:
        item: A picture or video.
        shares_file: Whether its file holds other items too; then its pixels are its content.

    Raises:
        DataError: It cannot be read.
    """
    squares, shorter_side = small_squares(item, shares_file=shares_file)
    is_telling = shorter_side >= SMALLEST and bool(squares.std(axis=(1, 2)).min() >= FLAT)
    return Likeness(
        _content(item, shares_file),
        hashes=_hashes(squares),
        mirrored=_hashes(squares[:, :, ::-1]),
        is_telling=is_telling,
    )


def small_squares(item: Listed, *, shares_file: bool) -> tuple[NDArray[np.uint8], int]:
    """Return (k, SIDE, SIDE) grey pictures of an item, and the shorter side of what is stored.

    Raises:
        DataError: It cannot be read.
    """
    grey, shorter_side = _video(item) if is_video(item) else _picture(item, shares_file)
    squares = [cv2.resize(g, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for g in grey]
    return np.stack(squares).astype(np.uint8, copy=False), shorter_side


def thumbnails(squares: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (k, THUMBNAIL x THUMBNAIL) of zero mean and unit length; products correlate."""
    step = SIDE // THUMBNAIL
    blocks = squares.reshape(-1, THUMBNAIL, step, THUMBNAIL, step).astype(np.float32)
    flat = blocks.mean(axis=(2, 4)).reshape(len(squares), -1)
    centred = flat - flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = centred / np.maximum(lengths, 1e-6)
    return scaled


def _content(item: Listed, shares_file: bool) -> bytes:
    if shares_file:
        return hashlib.sha256(_pixels(item).tobytes()).digest()
    with item.files[0].open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _hashes(squares: NDArray[np.uint8]) -> NDArray[np.uint64]:
    bits = [imagehash.phash(Image.fromarray(square)).hash.ravel() for square in squares]
    return np.packbits(np.stack(bits), axis=1).view(np.uint64)[:, 0]


def _picture(item: Listed, shares_file: bool) -> tuple[list[NDArray[np.uint8]], int]:
    if shares_file:
        pixels = _pixels(item)
        return [_grey(pixels)], min(pixels.shape[:2])
    file = item.files[0]
    shorter_side = min(image_size(file))
    encoded = np.fromfile(file, dtype=np.uint8)
    decoded = cv2.imdecode(encoded, _reduced(shorter_side) | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None:
        raise InvalidDataError(f"cannot decode image {file}; restore it")
    return [decoded.astype(np.uint8, copy=False)], shorter_side


def _reduced(shorter_side: int) -> int:
    """Let JPEG's decoder do the shrinking, which costs a fraction of decoding whole."""
    if shorter_side >= 8 * DECODED_SIDE:
        return cv2.IMREAD_REDUCED_GRAYSCALE_8
    if shorter_side >= 4 * DECODED_SIDE:
        return cv2.IMREAD_REDUCED_GRAYSCALE_4
    if shorter_side >= 2 * DECODED_SIDE:
        return cv2.IMREAD_REDUCED_GRAYSCALE_2
    return cv2.IMREAD_GRAYSCALE


def _video(item: VideoItem) -> tuple[list[NDArray[np.uint8]], int]:
    places = (2 * np.arange(VIDEO_FRAMES) + 1) / (2 * VIDEO_FRAMES)
    indices = (places * item.frame_count()).astype(np.int64)
    frames = [item.frames(indices[[k]], DECODED_SIDE)[0] for k in range(VIDEO_FRAMES)]
    return [_grey(frame) for frame in frames], DECODED_SIDE


def _pixels(item: Listed) -> NDArray[np.uint8]:
    sample = cast("Item", item).read()  # whatever is no video
    if isinstance(sample, ClipSample):
        raise TypeError(f"item {item.image_id} must read a picture, got a clip")
    return sample.image


def _grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
