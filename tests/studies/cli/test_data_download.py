"""`data download`: what the command line says before and without a download."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Visionstudy = Callable[..., Result]
NOBODY = "http://127.0.0.1:9"  # nothing listens there


@pytest.mark.parametrize("dataset", ["open-images", "coco", "voc", "ucf101"])
def test_help_says_how_large_it_is_and_how_a_study_names_it(
    visionstudy: Visionstudy, dataset: str
) -> None:
    text = visionstudy("data", "download", dataset, "--help").output
    assert "GB" in text
    assert f"dataset: {dataset.replace('-', '_')}, root: DIR" in text
    assert "--dry-run" in text


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        (("open-images", "--class", "Car", "--per-class", "1000"), "1003 files, 3.2 GB"),
        (("coco", "--class", "person", "--per-class", "1000"), "1251 files, 459.2 MB"),
        (("coco",), "3 files, 20.4 GB"),
        (("voc", "--year", "2007"), "2 files, 911.1 MB"),
        (("ucf101",), "2 files, 6.9 GB"),
    ],
)
def test_a_dry_run_prints_files_and_bytes_and_makes_no_folder(
    visionstudy: Visionstudy, tmp_path: Path, arguments: tuple[str, ...], size: str
) -> None:
    dataset, *rest = arguments
    result = visionstudy(
        "data", "download", dataset, str(tmp_path / "d"), *rest, "--dry-run", "--mirror", NOBODY
    )
    assert result.exit_code == 0
    assert result.output.splitlines()[0] == size
    assert not (tmp_path / "d").exists()


def test_a_server_that_does_not_answer_ends_with_status_1_and_a_way_on(
    visionstudy: Visionstudy, tmp_path: Path
) -> None:
    result = visionstudy(
        "data", "download", "--attempts", "1", "voc", str(tmp_path), "--mirror", NOBODY
    )
    assert result.exit_code == 1
    assert "run the same command again" in result.stderr


def test_a_mirror_that_is_no_web_address_is_refused(
    visionstudy: Visionstudy, tmp_path: Path
) -> None:
    result = visionstudy("data", "download", "voc", str(tmp_path), "--mirror", "file:///etc")
    assert result.exit_code == 1
    assert "must begin with http:// or https://, got 'file:///etc'" in result.stderr


def test_an_unknown_year_names_those_there_are(visionstudy: Visionstudy, tmp_path: Path) -> None:
    result = visionstudy("data", "download", "voc", str(tmp_path), "--year", "2005")
    assert result.exit_code == 2
    assert "--year must be one of 2007, 2012, got 2005" in result.stderr
