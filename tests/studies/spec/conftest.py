"""A small study to break in one place at a time."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from studies.spec.load import LoadedStudy, load_study
from studies.spec.problems import StudyFileError

STUDY = """\
study: demo
task: semantic_segmentation
data: {dataset: none, classes: [person, car], image_size: 64}
model: {name: unet, base_channels: 8}
training: {epochs: 2}
objective: {metric: val/iou}
search:
  tree:
    - stage: learning rate
      vary: {training.learning_rate: [1e-3, 1e-4]}
"""
Load = Callable[..., LoadedStudy]
Heads = Callable[..., list[str]]


@pytest.fixture
def study_text() -> str:
    return STUDY


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load the text of a study, without the caller's environment."""

    def load_text(text: str, *, overrides: Sequence[str] = (), **environ: str) -> LoadedStudy:
        file = tmp_path / "study.yaml"
        file.write_text(text, encoding="utf-8")
        return load_study(file, overrides=overrides, environ=environ)

    return load_text


@pytest.fixture
def problems(load: Load) -> Heads:
    """Return `line:col: path: message` of everything wrong with a text."""

    def heads(text: str, *, overrides: Sequence[str] = (), **environ: str) -> list[str]:
        with pytest.raises(StudyFileError) as caught:
            load(text, overrides=overrides, **environ)
        return [
            str(problem).split("\n", 1)[0].removeprefix(f"{problem.file}:" if problem.line else "")
            for problem in caught.value.problems
        ]

    return heads


@pytest.fixture
def problems_after(problems: Heads) -> Heads:
    """Return what is wrong with the small study after replacing a piece of its text."""

    def heads(old: str, new: str) -> list[str]:
        assert STUDY.count(old) == 1, f"{old!r} must be in the study once"
        return problems(STUDY.replace(old, new))

    return heads
