"""The thesis's studies of detectors ask what its tables print."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from reports.baselines import load
from studies.spec.load import load_study
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings, with_changes

LIBRARY = Path(__file__).parents[2] / "studies" / "library"
NOWHERE = {"OPEN_IMAGES_ROOT": "/nowhere"}


def study(name: str) -> StudySpec:
    return load_study(LIBRARY / f"{name}.yaml", environ=NOWHERE, check_data=False).spec


def cells_of(spec: StudySpec, stage: str) -> list[CellSettings]:
    """Return what a stage trains from the base settings, which are the thesis's winners."""
    (found,) = [each for each in spec.search.tree if each.stage == stage]
    values: list[Any] = list(found.vary.values())
    return [
        with_changes(
            base_settings(spec), {**found.with_, **dict(zip(found.vary, chosen, strict=True))}
        )
        for chosen in product(*values)
    ]


@pytest.mark.parametrize(
    ("table", "stage"),
    [
        ("thesis/table-3", "learning rate"),
        ("thesis/table-4", "batch size"),
        ("thesis/table-6", "image size"),
    ],
)
def test_every_row_of_a_thesis_table_is_a_cell_of_its_stage(table: str, stage: str) -> None:
    def facts(cell: CellSettings) -> tuple[object, ...]:
        training, data = cell.training, cell.data
        names = ", ".join(data.classes)
        size = (data.image_size, training.batch_size, training.learning_rate)
        return (data.dataset, names, *size, training.optimizer)

    asked = {facts(cell) for cell in cells_of(study("thesis/faster_rcnn_open_images"), stage)}
    printed = {
        (p.dataset, p.class_name, p.image_size, p.batch_size, p.learning_rate, p.optimizer)
        for p in (baseline.protocol for baseline in load([table]))
    }
    assert printed == asked


def test_the_split_gives_as_many_images_as_the_thesis_had() -> None:
    split = study("thesis/faster_rcnn_open_images").data.split
    test = round(2771 * split.test)
    val = round((2771 - test) * split.val)
    assert (2771 - test - val, val, test) == (1904, 479, 388)
    split = study("thesis/faster_rcnn_transfer").data.split
    test = round(2644 * split.test)
    val = round((2644 - test) * split.val)
    assert (2644 - test - val, val, test) == (1989, 356, 299)


def test_image_sizes_are_compared_after_as_few_epochs_as_in_the_thesis() -> None:
    for name in ("thesis/faster_rcnn_open_images", "small/faster_rcnn_open_images"):
        assert {cell.training.epochs for cell in cells_of(study(name), "image size")} == {7}


def test_the_study_in_small_asks_the_same_questions() -> None:
    whole, small = study("thesis/faster_rcnn_open_images"), study("small/faster_rcnn_open_images")
    stages = [[(s.stage, list(s.vary)) for s in spec.search.tree] for spec in (whole, small)]
    assert stages[0] == stages[1]
    assert small.objective == whole.objective
    assert set(small.baselines) <= set(whole.baselines)


@pytest.mark.parametrize("place", ["thesis", "small"])
def test_transfer_stands_beside_training_from_scratch_for_as_long(place: str) -> None:
    spec = study(f"{place}/faster_rcnn_transfer")
    first = study(f"{place}/faster_rcnn_open_images")
    starts: Any = spec.search.tree[0].vary["training.transfer"]
    assert starts[0] is None
    assert {each["init_from"] for each in starts[1:]} == {f"study:{first.study}"}
    assert [each["mode"] for each in starts[1:]] == ["feature_extractor", "fine_tuning"]
    assert spec.budget.per_trial.time is not None
    assert set(first.data.classes) < set(spec.data.classes)
    assert spec.model == first.model
