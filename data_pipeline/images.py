"""Image files to uint8 arrays, with errors that name the file."""

import io
import stat
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from data_pipeline.errors import InvalidDataError, MissingDataError

# The pixels as stored; `read_image` turns them by EXIF where labels refer to the turned picture.
# TIFF is turned by both decoders, and by all tools: there orientation is part of the format.
COLOUR = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000")
MOST_PIXELS = 200_000_000  # a file of some kB may claim more memory than there is
MOST_BYTES = 1024**3  # of a file
JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
ORIENTATION = 0x0112  # EXIF 2.32, 4.6.4: 1 to 8
JPEG_TAIL = 64  # bytes that may follow the end, such as padding
SUBFILE = 254  # TIFF 6.0's NewSubfileType: bit 0 marks a smaller copy of a page, bit 2 its mask
NO_PAGE = 0b101

# Pillow's own limits are lower than ours, and there is no way to set them for one call; a picture
# between its two is warned of, above the second it raises. Ours is asked before any decoding.
Image.MAX_IMAGE_PIXELS = MOST_PIXELS
# What its readers raise at damaged headers, beside OSError.
HEADER_ERRORS = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    SyntaxError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    struct.error,
    Image.DecompressionBombError,
)


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What a picture's file says of it before its pixels."""

    format: str  # one of FORMATS, or another name Pillow has for it
    size_hw: tuple[int, int]  # as stored, pixels
    is_grey: bool  # one channel, with or without alpha
    orientation: int = 1  # EXIF's, 1 to 8; 1: upright as stored

    @property
    def turned_hw(self) -> tuple[int, int]:
        """Height and width of the picture turned by EXIF, pixels."""
        height, width = self.size_hw
        return (width, height) if self.orientation >= 5 else (height, width)


def read_image(file: Path, *, turned: bool = False) -> NDArray[np.uint8]:
    """Decode a picture; grey and palette become colour, 16 bits become 8, alpha is dropped.

    Args:
        file: The picture.
        turned: Turn and mirror it as its EXIF tag says; else as stored.

    Returns:
        (h, w, 3) RGB.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is empty, truncated, no picture, of several pages or of more than
            MOST_PIXELS.
    """
    header, pixels = _decode(file, COLOUR)
    return _upright(pixels, header.orientation) if turned else pixels


def read_labels(file: Path) -> NDArray[np.uint8]:
    """Decode a picture whose pixel values are class indices.

    Returns:
        (h, w) values as stored.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It does not decode, or is not one channel of 8 bits.
    """
    _, labels = _decode(file, cv2.IMREAD_UNCHANGED)
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise InvalidDataError(
            f"label image {file} must be one channel of 8 bits, got shape {labels.shape} of "
            f"{labels.dtype}; convert it so that pixel values are class indices"
        )
    return labels


def image_header(file: Path) -> PictureHeader:
    """Read a picture's size and kind, and no pixel.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is no picture, or of more than MOST_PIXELS.
    """
    size = _file_size(file)
    with file.open("rb") as stream:
        return _header(file, stream, size)


def image_size(file: Path, *, turned: bool = False) -> tuple[int, int]:
    """Return a picture's height and width, pixels, by its header.

    Args:
        file: The picture.
        turned: As `read_image` turns it; else as stored.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is no picture, or of more than MOST_PIXELS.
    """
    header = image_header(file)
    return header.turned_hw if turned else header.size_hw


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo what EXIF says of where the stored first row and column are."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(pixels[::rows, ::columns])


def _decode(file: Path, flags: int) -> tuple[PictureHeader, NDArray[np.uint8]]:
    size = _file_size(file)
    try:
        data = np.fromfile(file, dtype=np.uint8)
    except OSError as error:
        raise _missing(file, error) from error
    header = _header(file, io.BytesIO(data.data), size)
    if header.format == "TIFF" and (problem := _problem_by_pillow(data)):
        # OpenCV only prints what is wrong with a strip, and fills it with anything
        is_cut = "truncated" in problem
        raise _truncated(file, size) if is_cut else _undecodable(file, size)
    colours = _beside_alpha(data) if header.format == "TIFF" and flags == COLOUR else None
    if colours is not None:
        return header, colours
    try:
        pixels = cv2.imdecode(data, flags)
    except cv2.error as error:
        raise _undecodable(file, size) from error
    if pixels is None:
        is_cut = "truncated" in _problem_by_pillow(data)
        raise _truncated(file, size) if is_cut else _undecodable(file, size)
    if _lacks_its_end(data) and "truncated" in _problem_by_pillow(data):
        raise _truncated(file, size)
    return header, pixels  # type: ignore[return-value]  # OpenCV's stub says any integer or float


def _file_size(file: Path) -> int:
    """Return the size of a regular file that may be read whole; bytes."""
    try:
        status = file.stat()
    except OSError as error:
        raise _missing(file, error) from error
    if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
        raise InvalidDataError(
            f"image {file} must be a file of at most {MOST_BYTES} bytes, "
            f"got {'a folder or device' if status.st_size <= MOST_BYTES else status.st_size}; "
            "restore it from the dataset's archive"
        )
    return status.st_size


def _header(file: Path, stream: IO[bytes], size: int) -> PictureHeader:
    try:
        picture = Image.open(stream, formats=FORMATS)
    except (*HEADER_ERRORS, Image.DecompressionBombWarning) as error:
        if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
            raise _too_large(file, "more") from error
        raise _undecodable(file, size) from error
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise _too_large(file, f"{height} x {width}")
    is_grey = picture.mode in ("1", "L", "LA", "La") or picture.mode.startswith(("I", "F"))
    orientation = _orientation(picture)
    if isinstance(picture, TiffImageFile) and (pages := _pages(picture)) > 1:
        raise InvalidDataError(
            f"image {file} must hold one picture, but holds {pages}; split it into files of one",
            kind="other_format",
        )
    return PictureHeader(picture.format or "", (height, width), is_grey, orientation)


def _pages(picture: TiffImageFile) -> int:
    """Count a TIFF's pages; smaller copies and masks of a page are none."""
    pages, number = 1, 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            while True:
                picture.seek(number)
                pages += not picture.tag_v2.get(SUBFILE, 0) & NO_PAGE
                number += 1
        except HEADER_ERRORS:  # EOFError after the last; what is damaged is no page either
            return pages


def _orientation(picture: Image.Image) -> int:
    """Read EXIF's tag where it is in the header; a damaged one says nothing."""
    exif = Image.Exif()
    if picture.format == "TIFF" or "exif" not in picture.info:
        return 1
    try:
        exif.load(picture.info["exif"])
        value = exif.get(ORIENTATION, 1)
    except HEADER_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _beside_alpha(data: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return a TIFF's colours where it has alpha too: OpenCV would multiply them by it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture = Image.open(io.BytesIO(data.data), formats=FORMATS)
        return np.array(picture.convert("RGB")) if picture.mode == "RGBA" else None


def _lacks_its_end(data: NDArray[np.uint8]) -> bool:
    """Say whether a JPEG may be cut off though it was decoded: older OpenCVs fill with grey."""
    if data[:2].tobytes() != JPEG_START:
        return False
    return JPEG_END not in data[-JPEG_TAIL:].tobytes()


def _problem_by_pillow(data: NDArray[np.uint8]) -> str:
    """Decode again, only where OpenCV is not to be believed; "" where nothing is wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(io.BytesIO(data.data), formats=FORMATS).load()
    except HEADER_ERRORS as error:
        return str(error).lower() or type(error).__name__
    return ""


def _missing(file: Path, error: OSError) -> MissingDataError:
    return MissingDataError(f"cannot read image {file}: {error.strerror}; restore it")


def _truncated(file: Path, size: int) -> InvalidDataError:
    return InvalidDataError(
        f"image {file} ({size} bytes) must be whole, but ends before its last pixel; "
        "restore it from the dataset's archive",
        kind="truncated",
    )


def _undecodable(file: Path, size: int) -> InvalidDataError:
    return InvalidDataError(
        f"cannot decode image {file} ({size} bytes): it is damaged or no picture; "
        "restore it from the dataset's archive"
    )


def _too_large(file: Path, got: str) -> InvalidDataError:
    return InvalidDataError(
        f"image {file} must have at most {MOST_PIXELS} pixels, got {got}; scale it down"
    )
