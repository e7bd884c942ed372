"""Damage inside a JPEG that keeps its end, which decoders fill with grey and say nothing of."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_pipeline.images import read_image
from data_pipeline.integrity.jpeg_damage import is_damaged_jpeg


def picture(mode: str = "RGB", **options: object) -> bytes:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (96, 128, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, "JPEG", quality=90, **options)
    return stream.getvalue()


def cut_out(content: bytes, share: float = 0.1) -> bytes:
    middle, gap = len(content) // 2, int(len(content) * share)
    return content[:middle] + content[middle + gap :]


KINDS = {
    "baseline": picture(),
    "progressive": picture(progressive=True),
    "grey": picture("L"),
    "subsampled": picture(subsampling=2, optimize=True),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_hole_in_the_middle_is_seen_although_the_picture_decodes(
    kind: str, tmp_path: Path
) -> None:
    file = tmp_path / "hole.jpg"
    file.write_bytes(cut_out(KINDS[kind]))
    assert read_image(file).shape == (96, 128, 3)
    assert is_damaged_jpeg(file.read_bytes())


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_picture_is_not_damaged(kind: str) -> None:
    assert not is_damaged_jpeg(KINDS[kind])


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\x89PNG\r\n", picture("CMYK")])
def test_what_the_strict_decoder_may_not_know_is_not_judged(content: bytes) -> None:
    assert not is_damaged_jpeg(cut_out(content) if len(content) > 100 else content)


def test_no_real_photograph_is_taken_for_damaged(real_data: Path) -> None:
    files = sorted(real_data.rglob("*.jpg"))
    assert len(files) > 500
    assert [file.name for file in files if is_damaged_jpeg(file.read_bytes())] == []
