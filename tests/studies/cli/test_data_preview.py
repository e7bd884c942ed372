"""`visionstudy data preview STUDY`."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Visionstudy = Callable[..., Result]
STUDY = """\
study: demo
task: semantic_segmentation
data:
  dataset: street_scenes
  images: 10
  picture_width: 96
  picture_height: 72
  drawn_in: {folder}
  image_size: 32
  classes: [person, car]
  one_model_per_class: true
  augment: [horizontal_flip]
model: {{name: unet}}
objective: {{metric: val/iou}}
search:
  tree:
    - stage: augmentation
      vary: {{data.augment: [[{{name: rotate, degrees: 30}}], []]}}
      with: {{data.image_size: 48}}
      only: {{data.classes: [car]}}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.format(folder=tmp_path / "scenes"), encoding="utf-8")
    return file


def test_a_page_is_written_beside_the_report(
    visionstudy: Visionstudy, study: Path, tmp_path: Path
) -> None:
    made = visionstudy("data", "preview", str(study), "--workspace", str(tmp_path / "runs"))
    file = tmp_path / "runs" / "studies" / "demo" / "preview.html"

    assert made.exit_code == 0, made.output
    assert str(file) in made.output
    html = file.read_text(encoding="utf-8")
    assert "base settings, class person" in html
    assert "horizontal flip: Mirror left-right." in html


def test_a_stage_shows_its_first_candidate(
    visionstudy: Visionstudy, study: Path, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    options = ["--stage", "augmentation", "--samples", "2", "-o", str(file)]
    made = visionstudy(
        "data", "preview", str(study), *options, "--workspace", str(tmp_path / "runs")
    )

    assert made.exit_code == 0, made.output
    html = file.read_text(encoding="utf-8")
    assert "class car" in html
    assert "48 pixels" in html
    assert "rotate: Turn about the middle. degrees 30, p 1" in html
    assert html.count("<h3>") == 2


def test_an_unknown_stage_is_named_with_what_was_meant(
    visionstudy: Visionstudy, study: Path, tmp_path: Path
) -> None:
    made = visionstudy(
        "data", "preview", str(study), "--stage", "augmentatoin", "--workspace", str(tmp_path)
    )

    assert made.exit_code == 2
    assert made.output.strip() == (
        "unknown stage 'augmentatoin' of study 'demo'; did you mean 'augmentation'? "
        "(stages: augmentation)"
    )
