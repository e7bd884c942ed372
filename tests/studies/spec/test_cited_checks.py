"""Cited numbers that a study names: known ones, and files of its own."""

from pathlib import Path

import pytest

from studies.spec.load import load_study
from studies.spec.problems import StudyFileError
from studies.tree.cited_files import keep_cited, read_cited

STUDY = """
study: demo
task: semantic_segmentation
data: {{dataset: none}}
model: {{name: noop}}
training: {{learning_rate: 0.01, batch_size: 2, epochs: 2}}
objective: {{metric: val/iou}}
search: {{tree: [{{stage: rate, vary: {{training.learning_rate: [0.1, 0.01]}}}}]}}
baselines: [{names}]
"""
NUMBERS = """baseline,row,system,task,dataset,metric,value,source
mine/unet,base,U-Net,semantic_segmentation,street_scenes,iou,0.71,our lab
"""


def problems(folder: Path, names: str) -> list[str]:
    file = folder / "study.yaml"
    file.write_text(STUDY.format(names=names))
    with pytest.raises(StudyFileError) as caught:
        load_study(file, check_data=False)
    return [str(each).splitlines()[0] for each in caught.value.problems]


def test_a_file_beside_the_study_is_read_with_it(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(NUMBERS)
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.format(names="mine.csv, unet-2015"))

    loaded = load_study(file, check_data=False)
    assert loaded.cited_files == {"mine.csv": NUMBERS}
    assert loaded.spec.baselines == ["mine.csv", "unet-2015"]


def test_a_wrong_row_is_told_at_the_name_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(NUMBERS.replace("0.71", "71"))
    (problem,) = problems(tmp_path, "unet-2015, mine.csv")
    assert problem.startswith(
        f"{tmp_path}/study.yaml:9:24: baselines.1: mine.csv:2: iou must be a"
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("none.csv", "a file of cited numbers must be readable beside the study file, got"),
        ("unet-2051", "unknown baseline 'unet-2051'; did you mean 'unet-2015'?"),
        ("thesis/table-5", "'thesis/table-5' is a picture of curves (batch sizes of"),
        ("mine.csv, mine/unet", "unknown baseline 'mine/unet'"),
        ("mine.csv, again.csv", "must bring names of its own, got 'mine/unet'"),
        ("taken.csv", "a file of cited numbers must bring names of its own, got 'unet-2015'"),
    ],
)
def test_a_name_that_cannot_be_used_is_told(tmp_path: Path, names: str, message: str) -> None:
    (tmp_path / "mine.csv").write_text(NUMBERS)
    (tmp_path / "again.csv").write_text(NUMBERS)
    (tmp_path / "taken.csv").write_text(NUMBERS.replace("mine/unet", "unet-2015"))
    (problem,) = problems(tmp_path, names)
    assert message in problem


def test_kept_files_are_read_back_and_forgotten_with_the_names(tmp_path: Path) -> None:
    assert read_cited(tmp_path) == {}
    keep_cited(tmp_path, {"mine.csv": NUMBERS})
    assert read_cited(tmp_path) == {"mine.csv": NUMBERS}
    keep_cited(tmp_path, {})
    assert read_cited(tmp_path) == {}
