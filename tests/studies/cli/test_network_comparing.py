"""`visionstudy models compare`."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import Result

from reports.network_record import NetworkRow
from studies.networks import measuring

Visionstudy = Callable[..., Result]
SMALL = ("models", "compare", "--task", "semantic_segmentation", "--models", "lraspp")


@pytest.fixture(autouse=True)
def _few_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.network_costs.BUDGET_S", 0.0)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), pixels)
    return folder


def test_a_network_is_counted_and_timed(visionstudy: Visionstudy) -> None:
    result = visionstudy(*SMALL, "--size", "64", "--classes", "21", "--json")

    found = json.loads(result.stdout)
    assert (result.exit_code, found["task"]) == (0, "semantic_segmentation")
    (network,) = found["networks"]
    assert network["parameters"] == 3_221_538  # torchvision's, of 21 classes
    assert network["image_size"] == 64
    assert 0 < network["cpu_fastest_ms"] <= network["cpu_ms"] <= network["cpu_slowest_ms"]
    assert network["fault"] == ""


def test_the_table_says_what_ran_where(visionstudy: Visionstudy) -> None:
    lines = visionstudy(*SMALL, "--size", "64", "--batch", "2").stdout.splitlines()

    assert lines[0].split()[0] == "Network"
    assert lines[1].split()[:2] == ["lraspp", "64"]
    assert "noise, 2 at a time, 1,000 labels; torch " in lines[2]


def test_networks_that_cannot_take_the_size_say_why(visionstudy: Visionstudy) -> None:
    result = visionstudy(*SMALL[:-1], "segnet", "--size", "50")

    assert result.exit_code == 0
    assert "segnet was not measured: image size of segnet must be " in result.stdout


def test_pictures_of_a_folder_go_through_it(visionstudy: Visionstudy, photos: Path) -> None:
    found = json.loads(
        visionstudy(*SMALL, "--size", "32", "--images", str(photos), "--json").stdout
    )

    assert found["pictures"] == "3 pictures of photos"
    assert found["networks"][0]["cpu_passes"] == 1


def test_a_folder_without_pictures_is_refused(visionstudy: Visionstudy, tmp_path: Path) -> None:
    result = visionstudy(*SMALL, "--images", str(tmp_path))

    assert result.exit_code == 2
    assert "must hold a picture" in result.stderr


def test_page_and_csv_are_written(visionstudy: Visionstudy, tmp_path: Path) -> None:
    page, table = tmp_path / "out" / "networks.html", tmp_path / "networks.csv"
    result = visionstudy(*SMALL, "--size", "32", "--html", str(page), "--csv", str(table))

    assert f"wrote {page}" in result.stderr
    assert "Choosing the network" in page.read_text()
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [each["network"] for each in rows] == ["lraspp"]


@pytest.mark.parametrize("option", ["--html", "--csv"])
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(
    visionstudy: Visionstudy, tmp_path: Path, option: str
) -> None:
    (tmp_path / "file").touch()
    result = visionstudy(*SMALL, "--size", "64", option, str(tmp_path / "file" / "result"))

    assert result.exit_code == 2
    assert f"cannot write {option} " in result.stderr
    assert result.stdout == ""


def test_what_was_measured_is_printed_when_it_is_stopped(
    visionstudy: Visionstudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Iterator[NetworkRow]:
        yield NetworkRow("lraspp", 32, parameters=7)
        raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "measured_rows", interrupted)
    result = visionstudy(*SMALL[:-1], "lraspp,unet")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[1].split() == ["lraspp", "32", "7"]
    assert "It was stopped before 2 networks more." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--models", "unett"), "unknown model 'unett'; did you mean 'unet'?"),
        (("--models", "fcn_resnet:backbone=resnet7"), "'backbone=resnet7' must choose among the "),
        (("--models", "unet", "--all"), "leave out --models, or --all"),
        (("--device", "cuda:99"), "--device must be auto or one of cpu"),
        (("--task", "action_recognition"), "--task must be one of image_classification, "),
    ],
)
def test_what_cannot_be_is_refused(
    visionstudy: Visionstudy, arguments: tuple[str, ...], message: str
) -> None:
    result = visionstudy("models", "compare", "--task", "semantic_segmentation", *arguments)

    assert result.exit_code == 2
    assert message in result.stderr


def test_help_says_what_the_numbers_are(visionstudy: Visionstudy) -> None:
    text = visionstudy("models", "compare", "--help").stdout

    assert "Nothing is trained or downloaded" in " ".join(text.split())
    assert "visionstudy models compare --models resnet,vgg:depth=16" in text
