from pathlib import Path

import pytest

from models.detection.darknet.cfg import DarknetCfgError, Section, read_cfg

CFG = """[net]
# a comment
width=416

[convolutional]
batch_normalize = 1
filters=32   # of the first layer
; another comment
size=3

[route]
layers = -1, 8
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "some.cfg"
    file.write_text(text)
    return file


def test_sections_are_read_without_blanks_and_comments(tmp_path: Path) -> None:
    first, second = read_cfg(written(tmp_path, CFG))
    assert (first.kind, second.kind) == ("convolutional", "route")
    assert first.options == {"batch_normalize": "1", "filters": "32", "size": "3"}
    assert first.whole("filters") == 32
    assert second.wholes("layers") == (-1, 8)
    assert first.place == f"{tmp_path / 'some.cfg'}:5"


def test_options_that_are_missing_have_their_default(tmp_path: Path) -> None:
    first, _ = read_cfg(written(tmp_path, CFG))
    assert first.whole("stride", 1) == 1
    assert first.wholes("mask", (0, 1)) == (0, 1)
    assert first.text("activation", "logistic") == "logistic"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"some\.cfg must start with \[net\], got nothing; is this the cfg of a network\?"),
        ("[convolutional]\n", r"must start with \[net\], got \[convolutional\]"),
        ("[net]\nwidth 416\n", r"some\.cfg:2 must be option=value, got 'width 416'; correct"),
        ("[net]\nwidth=\n", r"some\.cfg:2 must be option=value"),
        ("[net\n", r"some\.cfg:1 must be \[kind\], got '\[net'; close the bracket"),
        ("width=416\n", r"some\.cfg:1 must come after \[net\]"),
    ],
)
def test_file_that_is_no_cfg_is_told_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DarknetCfgError, match=message):
        read_cfg(written(tmp_path, text))


def test_option_that_is_missing_is_told_with_its_section() -> None:
    section = Section("convolutional", {}, "some.cfg:5")
    with pytest.raises(
        DarknetCfgError,
        match=r"section \[convolutional\] at some\.cfg:5 must have the option 'filters', got none",
    ):
        section.whole("filters")


def test_option_that_is_no_number_is_told() -> None:
    with pytest.raises(DarknetCfgError, match="must have whole numbers in 'size', got '3x3'"):
        Section("convolutional", {"size": "3x3"}).whole("size")
