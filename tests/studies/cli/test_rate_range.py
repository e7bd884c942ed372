"""`visionstudy lr-range STUDY`."""

import csv
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
import torch
from typer.testing import Result

Visionstudy = Callable[..., Result]
STUDY = """\
study: demo
task: semantic_segmentation
data:
  dataset: street_scenes
  images: 12
  picture_width: 96
  picture_height: 72
  drawn_in: {folder}
  image_size: 32
model: {{name: unet, base_channels: 4, depth: 1}}
training: {{batch_size: 4, epochs: 1, loss: cross_entropy}}
objective: {{metric: val/iou}}
search:
  tree:
    - stage: batch size
      vary: {{training.batch_size: [2, 4]}}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.format(folder=tmp_path / "scenes"), encoding="utf-8")
    return file


def test_a_page_and_a_table_are_written_and_no_ledger(
    visionstudy: Visionstudy, study: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    done = visionstudy(
        "lr-range", str(study), "--steps", "60", "--low", "1e-5", "--workspace", str(runs)
    )
    folder = runs / "studies" / "demo"

    assert done.exit_code == 0, done.output
    assert "Worth a try: " in done.output
    assert "as a stage: {stage: learning rate, vary: {training.learning_rate: " in done.output
    assert "step 6 of 60: rate 3.2e-05, loss" in done.output
    rows = list(csv.DictReader(StringIO((folder / "lr_range.csv").read_text())))
    assert 20 < len(rows) <= 60
    assert float(rows[0]["learning_rate"]) == 1e-5
    html = (folder / "lr_range.html").read_text(encoding="utf-8")
    assert "base settings" in html
    assert {each.name for each in runs.iterdir()} == {"cache", "studies"}
    assert {each.name for each in folder.iterdir()} == {"lr_range.csv", "lr_range.html"}


def test_a_place_that_cannot_be_written_is_refused_before_a_step(
    visionstudy: Visionstudy, study: Path, tmp_path: Path
) -> None:
    page = study / "rates.html"  # the study is a file
    done = visionstudy("lr-range", str(study), "-o", str(page), "--workspace", str(tmp_path))

    assert done.exit_code == 2
    assert f"cannot write -o {page}" in done.stderr
    assert "step " not in done.output


def test_what_is_found_can_be_read_by_a_program(
    visionstudy: Visionstudy, study: Path, tmp_path: Path
) -> None:
    page = tmp_path / "rates.html"
    options = ["--stage", "batch size", "--steps", "20", "-o", str(page), "--json"]
    done = visionstudy("lr-range", str(study), *options, "--workspace", str(tmp_path / "runs"))

    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["configuration"] == "stage 'batch size', batch size 2"
    assert ["batch size", "2"] in found["settings"]
    assert found["steps"] == 20
    assert len(found["losses"]) == len(found["rates"]) <= 20
    assert (found["page"], found["table"]) == (str(page), str(page.with_suffix(".csv")))
    assert page.is_file()
    assert not (tmp_path / "runs" / "studies").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--low", "1", "--high", "0.1"], "low must be above 0 and below high, got low 1 and"),
        (["--steps", "5"], "steps must be at least 20, or there is no curve to read; got 5"),
        (["--stage", "batchsize"], "unknown stage 'batchsize' of study 'demo'; did you mean"),
        (["--set", "training.learnin_rate=1"], "did you mean 'learning_rate'"),
        (["-o", "rates.csv"], "-o names the page, beside which the table is written as .csv"),
    ],
)
def test_bad_input_is_refused_before_anything_is_trained(
    visionstudy: Visionstudy, study: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    done = visionstudy("lr-range", str(study), *options, "--workspace", str(tmp_path / "runs"))
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
    assert not (tmp_path / "scenes").exists(), "no picture was drawn"
    assert not (tmp_path / "runs").exists()


def test_a_model_that_learns_in_its_own_way_is_refused(
    visionstudy: Visionstudy, study: Path, tmp_path: Path
) -> None:
    text = study.read_text(encoding="utf-8").replace(
        "name: unet, base_channels: 4, depth: 1", "name: constant"
    )
    text = text.replace("batch_size: 4, epochs: 1, loss: cross_entropy", "")
    text = text.replace("training.batch_size: [2, 4]", "training.loss: [bce, cross_entropy]")
    study.write_text(text, encoding="utf-8")
    done = visionstudy("lr-range", str(study), "--workspace", str(tmp_path / "runs"))
    assert done.exit_code == 2
    assert "model 'constant' is trained in its own way; name another" in done.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.transfer={freeze_to: nothing}", "nothing"),
        ("training.precision=16-mixed", "training.precision 16-mixed needs a GPU, got a CPU"),
    ],
)
def test_a_training_that_cannot_start_is_refused_in_a_sentence(
    visionstudy: Visionstudy, study: Path, tmp_path: Path, change: str, message: str
) -> None:
    if torch.cuda.is_available() and "precision" in change:
        pytest.skip("has a GPU")
    runs = str(tmp_path / "runs")
    done = visionstudy("lr-range", str(study), "--set", change, "--workspace", runs)
    assert done.exit_code == 2, done.output
    assert message in done.output


def test_help_teaches_how_to_read_it(visionstudy: Visionstudy) -> None:
    words = " ".join(visionstudy("lr-range", "--help").output.split())
    assert "Where the rate is too small the loss stays" in words
    assert "It is no trial" in words
