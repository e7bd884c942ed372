"""Legends of every usual form say the same, and a wrong one says where it is wrong."""

import json
from pathlib import Path

import pytest

from studies.scoring.legend import Legend, UnusableLegendError, read_legend

NAMES = {0: "road", 1: "car"}
WITH_COLOURS = Legend(NAMES, {(128, 64, 128): 0, (64, 0, 128): 1})
COLOURED = [
    {"index": 0, "name": "road", "color": [128, 64, 128]},
    {"index": 1, "name": "car", "color": [64, 0, 128]},
]


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("name", "text", "legend"),
    [
        ("a.csv", "name,r,g,b\nroad,128,64,128\ncar,64,0,128\n", WITH_COLOURS),
        ("a.csv", "Name, R, G, B\nroad, 128, 64, 128\ncar, 64, 0, 128\n", WITH_COLOURS),
        ("a.csv", "index,name\n1,car\n0,road\n", Legend(NAMES, {})),
        ("a.json", '["road", "car"]', Legend(NAMES, {})),
        ("a.json", json.dumps(COLOURED), WITH_COLOURS),
        ("a.json", json.dumps({"classes": COLOURED, "none": 255}), WITH_COLOURS),
    ],
)
def test_every_form_says_the_same(tmp_path: Path, name: str, text: str, legend: Legend) -> None:
    assert read_legend(written(tmp_path, name, text)) == legend


def test_a_class_may_have_several_colours(tmp_path: Path) -> None:
    text = "name,r,g,b\nroad,1,1,1\nroad,2,2,2\ncar,3,3,3\n"
    legend = read_legend(written(tmp_path, "a.csv", text))
    assert legend.names == NAMES
    assert legend.colours == {(1, 1, 1): 0, (2, 2, 2): 0, (3, 3, 3): 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it names no class"),
        ("name,r,g,b\nroad,1,1,1\ncar,1,1,1\n", r"entry 2: colour \(1, 1, 1\) is of two classes"),
        ("index,name\n0,road\n0,car\n", "entry 2: index 0 is 'road' and 'car'"),
        ("index,name\n300,road\n", "entry 1: index must be from 0 to 255, got 300"),
        ("name,r,g,b\nroad,1,1,256\n", "entry 1: red, green and blue must be from 0 to 255"),
        ("colour\n1\n", "must be a CSV with columns name,r,g,b or index,name, or JSON"),
    ],
)
def test_a_wrong_legend_says_where(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UnusableLegendError, match=words):
        read_legend(written(tmp_path, "a.csv", text))


def test_an_absent_legend_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableLegendError, match=r"a\.csv must be .*No such file"):
        read_legend(tmp_path / "a.csv")
