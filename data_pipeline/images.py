"""Image files to uint8 arrays, with errors that name the file."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from data_pipeline.errors import InvalidDataError, MissingDataError

# The pixels as stored: labels are drawn on them, whatever an EXIF tag says about orientation.
COLOUR = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION


def read_image(file: Path) -> NDArray[np.uint8]:
    """Decode a picture.

    Returns:
        (h, w, 3) RGB.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is empty, truncated or no picture.
    """
    return _decode(file, COLOUR)


def read_labels(file: Path) -> NDArray[np.uint8]:
    """Decode a picture whose pixel values are class indices.

    Returns:
        (h, w) values as stored.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It does not decode, or is not one channel of 8 bits.
    """
    labels = _decode(file, cv2.IMREAD_UNCHANGED)
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise InvalidDataError(
            f"label image {file} must be one channel of 8 bits, got shape {labels.shape} of "
            f"{labels.dtype}; convert it so that pixel values are class indices"
        )
    return labels


def _decode(file: Path, flags: int) -> NDArray[np.uint8]:
    try:
        data = np.fromfile(file, dtype=np.uint8)
    except OSError as error:
        raise MissingDataError(
            f"cannot read image {file}: {error.strerror}; restore it"
        ) from error
    pixels = cv2.imdecode(data, flags) if data.size else None
    if pixels is None:
        raise InvalidDataError(
            f"cannot decode image {file} ({data.size} bytes): it is damaged or no picture; "
            "restore it from the dataset's archive"
        )
    return pixels  # type: ignore[return-value]  # OpenCV's stub says any integer or float
