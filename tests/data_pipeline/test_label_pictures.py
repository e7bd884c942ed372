"""Label maps are read as the values that were stored, or refused."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from data_pipeline.errors import InvalidDataError
from data_pipeline.label_pictures import ENDINGS, read_label_picture


def packed(values: NDArray[np.uint8], bits: int) -> bytes:
    """Return rows of values that share bytes."""
    per_byte = 8 // bits
    rows = values.reshape(len(values), -1, per_byte)
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    return bytes((rows << shifts).sum(axis=2).astype(np.uint8))


def grey_png(values: NDArray[np.uint8], bits: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        code = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + code

    height, width = values.shape
    content = packed(values, bits)
    length = len(content) // height
    rows = b"".join(b"\0" + content[row * length :][:length] for row in range(height))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    start = b"\x89PNG\r\n\x1a\n" + head
    return start + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def grey_tiff(values: NDArray[np.uint8], bits: int) -> bytes:
    content = packed(values, bits)
    height, width = values.shape
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: height}
    entries = {**tags, 279: len(content)}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    place = 8 + len(content) + len(content) % 2
    head = struct.pack("<2sHI", b"II", 42, place) + content.ljust(place - 8, b"\0")
    return head + struct.pack("<H", len(entries)) + directory + bytes(4)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_grey_values_of_few_bits_are_not_stretched(tmp_path: Path, bits: int, ending: str) -> None:
    values = np.random.default_rng(bits).integers(0, 2**bits, (5, 8), dtype=np.uint8)
    file = tmp_path / f"few.{ending}"
    file.write_bytes((grey_png if ending == "png" else grey_tiff)(values, bits))
    assert (read_label_picture(file) == values).all()


def test_whole_numbers_stored_as_floats_are_labels(tmp_path: Path) -> None:
    values = np.array([[0, 3, 255], [7, 0, 1]], np.float32)
    Image.fromarray(values).save(tmp_path / "float.tif")
    labels = read_label_picture(tmp_path / "float.tif")
    assert labels.dtype == np.uint8
    assert (labels == values).all()


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(0.5, np.float32), (np.nan, np.float32), (-1, np.int32), (256, np.int32), (300, np.uint16)],
)
def test_what_is_no_label_is_refused_and_not_cut_off(
    tmp_path: Path, value: float, dtype: type
) -> None:
    Image.fromarray(np.array([[0, 1, value]], dtype)).save(tmp_path / "other.tif")
    words = rf"other\.tif must hold whole numbers from 0 to 255, got {value}; write it with 8 bits"
    with pytest.raises(InvalidDataError, match=words):
        read_label_picture(tmp_path / "other.tif")


def test_a_stack_of_label_maps_is_refused(tmp_path: Path) -> None:
    pages = [Image.new("L", (6, 4), value) for value in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(InvalidDataError, match=r"stack\.tif must hold one picture, but holds 3"):
        read_label_picture(tmp_path / "stack.tif")


def test_gif_is_no_label_map_for_what_writes_it_numbers_colours_anew() -> None:
    assert "gif" not in ENDINGS
