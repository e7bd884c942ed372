"""`visionstudy baselines list|show|add`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from reports.baselines import known_names

Visionstudy = Callable[..., Result]
NUMBERS = """baseline,row,system,task,dataset,metric,value,source
mine/unet,base,U-Net,semantic_segmentation,street_scenes,iou,0.71,our lab
mine/unet,wide,U-Net,semantic_segmentation,street_scenes,iou,0.72,our lab
"""


def test_a_list_holds_every_name(visionstudy: Visionstudy) -> None:
    lines = visionstudy("baselines", "list").output.splitlines()
    entries = json.loads(visionstudy("baselines", "list", "--json").output)

    assert [line.split()[0] for line in lines[: lines.index("")]] == list(known_names())
    assert [entry["name"] for entry in entries] == list(known_names())
    assert max(len(line) for line in lines) <= 80
    assert "Tables 5, 13, 15, 16 of the thesis are pictures of curves" in "\n".join(lines)


def test_a_list_is_narrowed(visionstudy: Visionstudy) -> None:
    output = visionstudy("baselines", "list", "--task", "image_classification", "--json").output
    entries = json.loads(output)
    assert {tuple(entry["tasks"]) for entry in entries} == {("image_classification",)}
    assert sum(entry["numbers"] for entry in entries) == 168


def test_a_list_of_nothing_says_so(visionstudy: Visionstudy) -> None:
    result = visionstudy("baselines", "list", "--dataset", "camvid", "--metric", "top1")
    assert result.output == "no published number is of all that; leave an option out\n"


@pytest.mark.parametrize("name", ["thesis/quoted", "thesis/table-14", "yolov3-2018", "vgg-2015"])
def test_every_number_of_a_name_is_shown(visionstudy: Visionstudy, name: str) -> None:
    text = visionstudy("baselines", "show", name).output
    facts = json.loads(visionstudy("baselines", "show", name, "--json").output)

    assert max(len(line) for line in text.splitlines()) <= 80
    for number in facts:
        assert number["row"].split()[0] in text
        assert number["printed"] in text


def test_what_the_number_really_is_is_shown(visionstudy: Visionstudy) -> None:
    text = visionstudy("baselines", "show", "thesis/quoted").output
    assert "really: AP50 on COCO test-dev of Ren et al., 42.1 or 42.7 %" in text


def test_an_unknown_name_is_refused_with_the_nearest_one(visionstudy: Visionstudy) -> None:
    result = visionstudy("baselines", "show", "yolov3-2081")
    assert result.exit_code == 2
    assert "unknown baseline 'yolov3-2081'; did you mean 'yolov3-2018'?" in result.output


def test_own_numbers_are_checked_and_their_use_is_said(
    visionstudy: Visionstudy, tmp_path: Path
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(NUMBERS)
    result = visionstudy("baselines", "add", str(file))

    assert result.exit_code == 0
    assert "  mine/unet: 2 numbers\n" in result.output
    assert "  baselines: [mine.csv]\n" in result.output
    shown = visionstudy("baselines", "show", str(file)).output
    assert "wide: IoU 0.72" in shown


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (NUMBERS.replace("0.72", "72"), "mine.csv:3: iou must be a fraction of 1, got 72"),
        (NUMBERS.replace("mine/unet", "unet-2015"), "'unet-2015' is a name of ours already"),
    ],
)
def test_own_numbers_that_cannot_be_used_are_refused(
    visionstudy: Visionstudy, tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(content)
    result = visionstudy("baselines", "add", str(file))

    assert result.exit_code == 2
    assert message in result.output
