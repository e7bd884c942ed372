"""Label maps as other tools write them: grey, palette or coloured pictures."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_pipeline.errors import InvalidDataError
from data_pipeline.images import HEADER_ERRORS, image_header

ENDINGS = ("png", "bmp", "gif", "tif", "tiff")  # JPEG would change labels
INDEXED = {"L": "L", "LA": "L", "P": "P", "PA": "P", "1": "L"}  # Pillow's modes -> of one channel


def read_label_picture(file: Path) -> NDArray[np.uint8]:
    """Decode a label map as it is stored.

    Returns:
        (h, w) label indices of a grey or palette picture, 0 and 255 of one of a bit per pixel;
        (h, w, 3) RGB of a coloured one.

    Raises:
        DataError: There is no such file, it is damaged, or has labels above 255.
    """
    image_header(file)  # says what is wrong with a file that is no picture
    try:
        with Image.open(file) as picture:
            return _values(picture, file)
    except HEADER_ERRORS as error:
        raise InvalidDataError(f"cannot decode label map {file}: {error}; restore it") from error


def _values(picture: Image.Image, file: Path) -> NDArray[np.uint8]:
    if picture.mode.startswith("I"):  # 16 bits or more
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 255:
            raise InvalidDataError(
                f"label map {file} must hold labels from 0 to 255, got {values.max()}; "
                "write it with 8 bits"
            )
        return values.astype(np.uint8)
    if picture.mode in INDEXED:
        wanted = INDEXED[picture.mode]
        return np.array(picture if picture.mode == wanted else picture.convert(wanted), np.uint8)
    return np.array(picture.convert("RGB"), np.uint8)
