"""Pictures and clips that nobody labelled, made into a network's input as a split's are."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_pipeline.datasets.annotated import is_turned
from data_pipeline.datasets.settings.videos import VideoFields
from data_pipeline.images import read_image
from data_pipeline.loading.resizing import Placement, placement
from data_pipeline.settings import DataSettings
from data_pipeline.transforms.batches import normalized
from data_pipeline.video.clips import cut_square, view_corners
from data_pipeline.video.flow import ClipFlow


def read_picture(file: Path, settings: DataSettings) -> NDArray[np.uint8]:
    """Decode a picture as the dataset's are: turned by EXIF where these were.

    Returns:
        (h, w, 3) RGB.

    Raises:
        DataError: There is no such file, or it is damaged or no picture.
    """
    return read_image(file, turned=is_turned(settings))


def network_input(pixels: NDArray[np.uint8], settings: DataSettings) -> tuple[Tensor, Placement]:
    """Return a picture at the network's input size, and where on the input it lies.

    Args:
        pixels: (h, w, 3) RGB.
        settings: Of the network's training data.

    Returns:
        (3, h, w) uint8, or float32 where the study normalises; and the place.
    """
    height, width = pixels.shape[:2]
    place = placement(settings.resize, settings.image_size, (height, width))
    image = torch.from_numpy(place.image(pixels)).permute(2, 0, 1)
    if settings.normalize is not None:
        image = normalized(image, settings.normalize)
    return image, place


def clip_inputs(
    frames: NDArray[np.uint8], indices: NDArray[np.int64], settings: VideoFields
) -> list[Tensor]:
    """Return a clip as the network is scored with it: a tensor for each of its squares.

    Args:
        frames: (t, h, w, 3) RGB, scaled to the settings' shorter side.
        indices: (t,) which frames of the video they are.
        settings: Of the network's training data.

    Returns:
        `clip.crops` times (3, t, side, side), or 5 with flow; uint8, or float32 where the study
        normalises.
    """
    clip, side = settings.clip, settings.image_size
    flow = None if clip.flow is None else ClipFlow(clip.flow, clip.stride)
    whole = frames if flow is None else flow.of_clip(frames, indices)
    inputs = []
    for corner in view_corners((frames.shape[1], frames.shape[2]), side, crops=clip.crops):
        square = cut_square(whole, corner, side)
        closed = np.ascontiguousarray(square if flow is None else flow.closed(square, indices))
        pixels = torch.from_numpy(closed).permute(3, 0, 1, 2)
        if settings.normalize is not None:
            pixels = normalized(pixels[None], settings.normalize)[0]
        inputs.append(pixels)
    return inputs
