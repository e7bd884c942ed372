"""Label maps as other tools write them: grey, palette or coloured pictures."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from data_pipeline.errors import InvalidDataError
from data_pipeline.images import HEADER_ERRORS, image_header

# JPEG would change labels, and what writes a GIF may number its colours anew.
ENDINGS = ("png", "bmp", "tif", "tiff")
STRETCHED = {"L;2": 85, "L;4": 17}  # Pillow's name of fewer bits -> what it multiplies them by
MOST = 255
INDEXED = {"L": "L", "LA": "L", "P": "P", "PA": "P", "1": "L"}  # Pillow's modes -> of one channel


def read_label_picture(file: Path) -> NDArray[np.uint8]:
    """Decode a label map as it is stored.

    Returns:
        (h, w) label indices of a grey or palette picture, 0 and 255 of one of a bit per pixel;
        (h, w, 3) RGB of a coloured one.

    Raises:
        DataError: There is no such file, it is damaged or of several pages, or has values that
            are no whole numbers from 0 to 255.
    """
    image_header(file)  # says what is wrong with a file that is no picture
    try:
        with Image.open(file) as picture:
            return _values(picture, file)
    except HEADER_ERRORS as error:
        raise InvalidDataError(f"cannot decode label map {file}: {error}; restore it") from error


def _values(picture: ImageFile.ImageFile, file: Path) -> NDArray[np.uint8]:
    if picture.mode.startswith(("I", "F")):  # 16 bits or more
        return _bytes(np.asarray(picture), file)
    if picture.mode in INDEXED:
        wanted, factor = INDEXED[picture.mode], _stretched(picture)
        shown = picture if picture.mode == wanted else picture.convert(wanted)
        return np.array(shown, np.uint8) // np.uint8(factor)
    return np.array(picture.convert("RGB"), np.uint8)


def _bytes(values: NDArray[Any], file: Path) -> NDArray[np.uint8]:
    """Return values of a wider type, which must be labels."""
    is_label = (values >= 0) & (values <= MOST) & (values == np.rint(values))
    if not is_label.all():
        raise InvalidDataError(
            f"label map {file} must hold whole numbers from 0 to {MOST}, got "
            f"{values[~is_label][0]}; write it with 8 bits"
        )
    return values.astype(np.uint8)


def _stretched(picture: ImageFile.ImageFile) -> int:
    """Return by what a grey picture of 2 or 4 bits is multiplied so that its white is 255."""
    arguments = picture.tile[0].args if picture.tile else None
    raw = arguments[0] if isinstance(arguments, tuple) else arguments
    return STRETCHED.get(str(raw)[:3], 1)
