"""`validate` and `schema`."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from models.catalog import MODELS

Visionstudy = Callable[..., Result]

SEVEN_MISTAKES = """\
study: broken
task: semantic_segmentation
data:
  dataset: camvid
  root: nowhere
  image_size: 150
model: {name: unett}
training:
  learning_rat: 1e-4
  epochs: many
  epochs: 3
objective: {metric: val/iou}
search:
  tree:
    - stage: learning rate
      vary: {training.learning_rate: [1e-3, 1e-4]}
    - stage: batch size
      vary: {}
"""
SEVEN_PROBLEMS = """\
:5:9: data.root: nowhere must be CamVid's folder with train.txt and val.txt, got no folder; \
correct data.root or download the dataset
      root: nowhere
            ^
:6:15: data.image_size: image size of unet must be a multiple of 16 (4 poolings of 2), got 150; \
use 144 or 160
      image_size: 150
                  ^
:7:15: model.name: unknown model 'unett'; did you mean 'unet'? (N models: visionstudy models list)
    model: {name: unett}
                  ^
:9:3: training.learning_rat: unknown key 'learning_rat'; did you mean 'learning_rate'?
      learning_rat: 1e-4
      ^
:10:11: training.epochs: must be a whole number, got 'many'
      epochs: many
              ^
:11:3: training.epochs: key 'epochs' is already set at line 10, column 3; remove one
      epochs: 3
      ^
:18:7: search.tree.1.vary: stage 'batch size' varies nothing; list values under `vary`, \
e.g. {training.learning_rate: [1e-3, 1e-4]}, or remove the stage
          vary: {}
          ^
""".replace("(N models", f"({len(MODELS)} models")
VALIDATES = """
import sys
from studies.cli.app import app
try:
    app(["validate", sys.argv[1]])
finally:
    print("torch" in sys.modules, "mlflow" in sys.modules, "optuna" in sys.modules)
"""


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    file = tmp_path / "broken.yaml"
    file.write_text(SEVEN_MISTAKES, encoding="utf-8")
    return file


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "good.yaml"
    text = SEVEN_MISTAKES.replace("camvid\n  root: nowhere", "none").replace("unett", "noop")
    text = text.replace("learning_rat:", "learning_rate:").replace("  epochs: many\n", "")
    file.write_text(text.replace("{}", "{training.batch_size: [1]}"), encoding="utf-8")
    return file


def test_seven_mistakes_are_seven_problems(visionstudy: Visionstudy, broken: Path) -> None:
    result = visionstudy("validate", str(broken))

    expected = "".join(
        f"{broken}{line}" if line.startswith(":") else line
        for line in SEVEN_PROBLEMS.splitlines(keepends=True)
    )
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"{expected}{broken}: 7 problems\n"


def test_mistakes_are_found_in_two_seconds_without_torch(broken: Path) -> None:
    command = [sys.executable, "-c", VALIDATES, str(broken)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    run = subprocess.run(command, capture_output=True, text=True, check=False)

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run.returncode == 2
    assert run.stdout == "False False False\n"
    assert run.stderr.endswith("7 problems\n")
    # CPU seconds: other work on the machine must not fail the test.
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 2


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_split_that_flatters_is_warned_of(
    visionstudy: Visionstudy, good: Path, real_data: Path, command: str
) -> None:
    text = good.read_text(encoding="utf-8")
    root = real_data / "camvid_mini"
    good.write_text(
        text.replace("none", f"camvid\n  root: {root}\n  split: {{policy: random}}"), "utf-8"
    )

    result = visionstudy(command, str(good))

    assert result.exit_code == 0
    assert (
        "warning: data.split.policy 'random' is leaky: it puts frames of one drive"
        in result.stderr
    )


def test_a_good_study_says_what_comes_next(visionstudy: Visionstudy, good: Path) -> None:
    result = visionstudy("validate", str(good))

    assert result.exit_code == 0
    assert result.output == (
        f"{good}: in order: study 'broken', stages: learning rate, batch size\n"
        f"next: visionstudy plan {good}\n"
    )


def test_set_changes_the_study_before_it_is_checked(visionstudy: Visionstudy, good: Path) -> None:
    result = visionstudy("validate", str(good), "--set", "training.epochs=-1")

    assert result.exit_code == 2
    assert result.stderr == (
        "--set training.epochs=-1: training.epochs: must be at least 0, got -1\n"
        f"{good}: 1 problem\n"
    )


def test_data_need_not_be_there_to_check_the_rest(visionstudy: Visionstudy, good: Path) -> None:
    away = ["--set", "data={dataset: camvid, root: nowhere}"]

    assert visionstudy("validate", str(good), *away).exit_code == 2
    assert visionstudy("validate", str(good), *away, "--no-data").exit_code == 0


def test_the_schema_is_printed_or_written(visionstudy: Visionstudy, tmp_path: Path) -> None:
    file = tmp_path / "study.schema.json"

    printed = visionstudy("schema").output
    written = visionstudy("schema", "-o", str(file)).output

    assert file.read_text(encoding="utf-8") == printed
    assert written == f"wrote {file}\n"
