"""Decoding, and errors that name the file."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps, TiffImagePlugin

from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.images import (
    PictureHeader,
    image_header,
    image_size,
    read_image,
    read_labels,
)


@pytest.fixture
def jpeg(tmp_path: Path) -> Path:
    file = tmp_path / "red.jpg"
    red = np.zeros((64, 48, 3), dtype=np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    cv2.imwrite(str(file), red)
    return file


def test_colours_are_rgb(jpeg: Path) -> None:
    image = read_image(jpeg)
    assert image.shape == (64, 48, 3)
    assert image.dtype == np.uint8
    assert image[30, 20, 0] > 250
    assert image[30, 20, 1:].max() < 5


def test_grey_picture_becomes_three_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((4, 6), 90, dtype=np.uint8))
    assert read_image(tmp_path / "grey.png").tolist() == [[[90] * 3] * 6] * 4


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"cannot read image .*gone\.jpg: No such file"):
        read_image(tmp_path / "gone.jpg")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(InvalidDataError, match=rf"bad\.jpg \({len(content)} bytes\)"):
        read_image(tmp_path / "bad.jpg")


def test_label_image_with_colours_is_refused(jpeg: Path) -> None:
    with pytest.raises(InvalidDataError, match=r"red\.jpg must be one channel of 8 bits"):
        read_labels(jpeg)


def saved(file: Path, picture: Image.Image) -> Path:
    picture.save(file)
    return file


GREY_16 = Image.fromarray(np.full((4, 6), 0x7B12, dtype=np.uint16))


@pytest.mark.parametrize(
    ("name", "picture", "expected"),
    [
        ("grey16.png", GREY_16, (0x7B, 0x7B, 0x7B)),
        ("grey16.tif", GREY_16, (0x7B, 0x7B, 0x7B)),
        ("grey.jpg", Image.new("L", (6, 4), 77), (77, 77, 77)),
        ("grey_alpha.png", Image.new("LA", (6, 4), (90, 10)), (90, 90, 90)),
        ("alpha.png", Image.new("RGBA", (6, 4), (200, 100, 50, 7)), (200, 100, 50)),
        ("alpha.tif", Image.new("RGBA", (6, 4), (200, 100, 50, 7)), (200, 100, 50)),
        ("two.png", Image.new("1", (6, 4), 1), (255, 255, 255)),
        ("cmyk.jpg", Image.new("CMYK", (6, 4), (10, 200, 30, 40)), (207, 47, 190)),
        ("palette.png", Image.new("RGB", (6, 4), (10, 20, 30)).quantize(), (10, 20, 30)),
    ],
)
def test_every_kind_of_picture_becomes_8_bit_rgb(
    tmp_path: Path, name: str, picture: Image.Image, expected: tuple[int, int, int]
) -> None:
    image = read_image(saved(tmp_path / name, picture))
    assert image.shape == (4, 6, 3)
    assert image.dtype == np.uint8
    assert np.abs(image[2, 3].astype(int) - expected).max() <= 2


def test_sixteen_bit_colour_keeps_its_high_byte(tmp_path: Path) -> None:
    bgr = np.full((4, 6, 3), (0x0A01, 0x1402, 0x1EFF), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), bgr)
    assert read_image(tmp_path / "deep.png")[0, 0].tolist() == [0x1E, 0x14, 0x0A]


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_truncated_jpeg_is_refused_wherever_it_ends(
    tmp_path: Path, progressive: bool, share: float
) -> None:
    file = tmp_path / "cut.jpg"
    NOISE.save(file, progressive=progressive)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InvalidDataError, match=r"cut\.jpg .* must be whole") as caught:
        read_image(file)
    assert caught.value.kind == "truncated"


@pytest.mark.parametrize("share", [0.2, 0.5, 0.99])
def test_truncated_png_is_refused_wherever_it_ends(tmp_path: Path, share: float) -> None:
    whole = saved(tmp_path / "cut.png", NOISE).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InvalidDataError) as caught:
        read_image(tmp_path / "cut.png")
    assert caught.value.kind == "truncated"


def test_decoder_that_fills_the_lost_part_of_a_jpeg_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As OpenCV before 5 may do; here it is given the rest of the file."""
    whole = saved(tmp_path / "cut.jpg", NOISE).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    decode = cv2.imdecode
    filled = decode(np.frombuffer(whole, np.uint8), cv2.IMREAD_COLOR)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: filled)
    with pytest.raises(InvalidDataError, match="must be whole"):
        read_image(tmp_path / "cut.jpg")


def test_bytes_after_the_end_of_a_jpeg_are_harmless(tmp_path: Path) -> None:
    file = saved(tmp_path / "long.jpg", NOISE)
    expected = read_image(file)
    file.write_bytes(file.read_bytes() + bytes(1000))
    assert (read_image(file) == expected).all()


def png_of(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        code = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + code

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(100_000))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [14_143, 18_000, 100_000, 2**31 - 1])
def test_picture_that_claims_too_many_pixels_is_not_decoded(
    tmp_path: Path, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bomb.png").write_bytes(png_of(side, side))
    monkeypatch.setattr(cv2, "imdecode", None)  # calling it would fail
    for read in (read_image, read_labels, image_header):
        with pytest.raises(InvalidDataError, match=r"bomb\.png must have at most 200000000 pix"):
            read(tmp_path / "bomb.png")


def test_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="got a folder or device"):
        read_image(tmp_path)


def test_header_tells_size_and_grey_without_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", None)
    grey = saved(tmp_path / "grey.png", Image.new("L", (6, 4)))
    deep = saved(tmp_path / "deep.png", GREY_16)
    colour = saved(tmp_path / "colour.jpg", NOISE)
    assert image_header(grey) == PictureHeader("PNG", (4, 6), is_grey=True)
    assert image_header(deep) == PictureHeader("PNG", (4, 6), is_grey=True)
    assert image_header(colour) == PictureHeader("JPEG", (60, 80), is_grey=False)
    assert image_size(colour) == (60, 80)


def test_header_of_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    with pytest.raises(InvalidDataError, match=r"bad\.jpg"):
        image_header(tmp_path / "bad.jpg")
    with pytest.raises(MissingDataError):
        image_header(tmp_path / "gone.jpg")


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_picture_is_turned_as_pillow_and_opencv_do(
    tmp_path: Path, ending: str, orientation: int
) -> None:
    file, exif = tmp_path / f"photo.{ending}", Image.Exif()
    exif[0x0112] = orientation
    slope = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8) * 5
    Image.fromarray(np.repeat(slope[..., None], 3, axis=2)).save(
        file, exif=exif, quality=100, lossless=True
    )
    turned = read_image(file, turned=True)
    stored = Image.open(file)
    upright = ImageOps.exif_transpose(stored).convert("RGB")
    assert np.abs(turned.astype(int) - np.asarray(upright)).max() <= 3
    assert image_size(file, turned=True) == turned.shape[:2]
    assert image_size(file) == read_image(file).shape[:2]
    if ending != "tiff":  # OpenCV 5 cannot read those that are turned by a quarter from a file
        expected = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
        assert expected is not None
        assert np.array_equal(turned, expected)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_turns_nothing(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    Image.new("RGB", (8, 6)).save(file, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert read_image(file, turned=True).shape == (6, 8, 3)


@pytest.mark.parametrize("seed", range(5))
def test_damaged_strip_of_a_tiff_is_refused(tmp_path: Path, seed: int) -> None:
    file = tmp_path / "scan.tif"
    NOISE.save(file, compression="tiff_deflate")
    content = bytearray(file.read_bytes())
    content[np.random.default_rng(seed).integers(1000, len(content) - 1000)] ^= 16
    file.write_bytes(content)
    with pytest.raises(InvalidDataError, match=r"scan\.tif"):
        read_image(file)


@pytest.mark.parametrize("read", [read_image, read_labels, image_size])
def test_stack_of_pictures_is_refused(tmp_path: Path, read: Callable[[Path], object]) -> None:
    pages = [Image.new("L", (6, 4), value) for value in range(30)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    words = r"stack\.tif must hold one picture, but holds 30; split it into files of one"
    with pytest.raises(InvalidDataError, match=words) as caught:
        read(tmp_path / "stack.tif")
    assert caught.value.kind == "other_format"


def test_small_copy_of_a_page_is_no_second_picture(tmp_path: Path) -> None:
    with TiffImagePlugin.AppendingTiffWriter(tmp_path / "scan.tif", new=True) as stream:
        for picture, subfile in ((NOISE, 0), (NOISE.resize((8, 6)), 1)):
            picture.save(stream, format="TIFF", tiffinfo={254: subfile})
            stream.newFrame()
    assert (read_image(tmp_path / "scan.tif") == np.asarray(NOISE)).all()
