"""A cross-validated study from its launch to its report."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from reports.folds import by_fold, fold_note
from reports.tables.flags import study_flags
from reports.tables.held_out import held_out_table
from reports.tables.stages import stage_tables
from reports.validation_sets import differing_settings
from trackers.folds import fold_of, replicate_name
from trackers.records import StudyRecord, TestScoreRecord
from trackers.run_facts import cell_facts
from trackers.tracker import CellUpload

Office = Any  # of conftest.py, which cannot be imported
FOLDS = 3
STUDY: Mapping[str, Any] = {
    "study": "demo",
    "task": "semantic_segmentation",
    "data": {"dataset": "none", "folds": FOLDS},
    "model": {"name": "noop", "optimum": {"learning_rate": 1e-3}, "noise": 0.01},
    "training": {"learning_rate": 1e-2, "batch_size": 2, "epochs": 2},
    "objective": {"metric": "val/iou"},
    "search": {
        "tree": [{"stage": "rate", "vary": {"training.learning_rate": [1e-2, 1e-3]}}],
        "replicates": 2,
    },
}


SCENES = {
    "dataset": "street_scenes",
    "images": 20,
    "picture_width": 64,
    "picture_height": 64,
    "image_size": 32,
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, make_office: Callable[[Path], Office]) -> Path:
    """Return a folder in which a cross-validated study has run; it is to be copied."""
    office = make_office(tmp_path_factory.mktemp("folded"))
    office.write(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIONSTUDY_WORKSPACE", str(office.place.folder))
        office.launch()
    return office.folder  # type: ignore[no-any-return]


@pytest.fixture
def folded(
    ran: Path,
    make_office: Callable[[Path], Office],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Office:
    """Return a workspace of one's own in which a cross-validated study has run."""
    folder = tmp_path / "folded"
    shutil.copytree(ran, folder)
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(folder / "runs"))
    return make_office(folder)


@pytest.fixture
def record(folded: Office) -> StudyRecord:
    return folded.record()  # type: ignore[no-any-return]


def test_every_verb_names_the_fold(folded: Office) -> None:
    planned = folded.told("plan", str(folded.file))["cells"]
    assert [(each["fold"], each["seed"]) for each in planned[:6]] == [
        (fold, seed) for seed in range(2) for fold in range(FOLDS)
    ]
    cells = folded.told("status", "demo")["cells"]
    assert [each["fold"] for each in cells] == [each["fold"] for each in planned]
    assert "fold  seed" in folded.ask("status", "demo")
    one = next(each for each in cells if each["fold"] == 1)
    assert "fold 1, seed 0" in folded.ask("why", one["id"])
    assert folded.told("why", one["id"])["changed"]["data.split.fold"] == [0, 1]


def test_a_relaunch_trains_nothing_anew(folded: Office) -> None:
    before = folded.told("status", "demo")["cells"]
    folded.launch()
    assert [each["attempts"] for each in folded.told("status", "demo")["cells"]] == [1] * 12
    folded.launch("search.replicates=3")
    after = folded.told("status", "demo")["cells"]
    assert {each["id"] for each in before} < {each["id"] for each in after}
    assert len(after) == 18


def test_a_stage_has_a_column_per_fold_with_its_seeds(record: StudyRecord) -> None:
    [table] = stage_tables(record)
    assert table.columns == ("fold 0", "fold 1", "fold 2")
    assert table.inside == "seeds"
    row = table.rows[0]
    for fold, part in enumerate(row.columns):
        assert [(each.fold, each.seed) for each in part] == [(fold, 0), (fold, 1)]
        values = [record.cells[each.cell].metrics["val/iou"] for each in part]
        assert row.column_means[fold] == pytest.approx(sum(values) / 2)


def test_the_report_says_what_its_intervals_do_not_mean(folded: Office) -> None:
    page = folded.place.report("demo").read_text(encoding="utf-8")
    assert "over 3 folds, seeds of a fold averaged" in page
    assert "any two of them share 1/2 of their training images" in page
    assert "paired by fold" in page
    assert "for other cuts of these images" in page
    assert "are what the records say" in folded.ask("verify", str(folded.place.report("demo")))


def test_other_folds_are_no_other_validation_sets(record: StudyRecord) -> None:
    assert differing_settings(record, record.stages[0].configurations) == ()


def test_few_seeds_of_several_folds_are_no_reason_for_a_warning(record: StudyRecord) -> None:
    texts = [flag.text for flag in study_flags(record)]
    assert fold_note(record) in texts
    assert not any("seeds are needed" in text or "One seed per" in text for text in texts)


def test_seeds_of_a_fold_are_averaged_before_anything_is_told(record: StudyRecord) -> None:
    cells = [record.cells[each] for each in record.stages[0].configurations[0].cells]
    assert [fold_of(record, cell) for cell in cells] == [0, 1, 2, 0, 1, 2]
    assert by_fold(record, [(cell, float(n)) for n, cell in enumerate(cells)]) == [1.5, 2.5, 3.5]


def test_the_test_split_is_scored_by_the_networks_of_all_folds(record: StudyRecord) -> None:
    winner = record.stages[0].decisions[0].winners[0]
    [won] = [each for each in record.stages[0].configurations if each.id == winner]
    scores = tuple(
        TestScoreRecord("rate", winner, cell, {"test/iou": 0.1 * number})
        for number, cell in enumerate(won.cells)
    )
    table = held_out_table(replace(record, test_scores=scores, test_looks=len(scores)))
    mean, *own = table.rows
    assert mean.is_mean
    assert mean.values[0] == pytest.approx(0.25)
    assert [(row.fold, row.seed) for row in own] == [(f, s) for s in range(2) for f in range(3)]
    assert "each winner's score is the mean over the networks of its folds" in table.summary


def test_a_run_is_tagged_by_its_fold(record: StudyRecord) -> None:
    cell = next(each for each in record.cells.values() if fold_of(record, each) == 2)
    upload = CellUpload(
        cell=cell,
        name=replicate_name(record, cell),
        stages=("rate",),
        configuration="1.1",
        varied={},
        attempts=1,
        artifacts=(),
        resolved_config=lambda: "",
        weights=None,
        task="semantic_segmentation",
    )
    assert cell_facts("demo", upload).tags["visionstudy.fold"] == "2"


def test_a_study_without_folds_speaks_of_seeds(office: Office) -> None:
    record = office.record()
    assert fold_note(record) == ""
    assert {replicate_name(record, cell) for cell in record.cells.values()} == {"seed 0", "seed 1"}
    assert stage_tables(record)[0].columns == ("seed 0", "seed 1")


@pytest.mark.slow
def test_segmentation_is_cross_validated_and_scored_once(
    empty_office: Callable[[Mapping[str, Any]], Office],
) -> None:
    """Small networks on generated scenes: folds differ, and the report's interval is by hand."""
    study = {
        **STUDY,
        "data": {**SCENES, "folds": FOLDS},
        "model": {"name": "unet", "base_channels": 4},
        "training": {"batch_size": 4, "epochs": 1},
        "search": {"tree": [{"stage": "rate", "vary": {"training.learning_rate": [1e-2, 1e-3]}}]},
    }
    office = empty_office(study)
    office.launch()
    record = office.record()
    assert {str(cell.outcome) for cell in record.cells.values()} == {"complete"}
    row = stage_tables(record)[0].rows[0]
    means = [mean for mean in row.column_means if mean is not None]
    assert len(set(means)) == FOLDS
    spread = stats.tstd(means) * (1 / FOLDS + 1 / (FOLDS - 1)) ** 0.5
    half = stats.t.ppf(0.975, FOLDS - 1) * spread
    assert row.mean == pytest.approx(sum(means) / FOLDS)
    assert row.high == pytest.approx(row.mean + half)
    table = held_out_table(record)
    assert table.looks == FOLDS  # the winner's networks, each once
    assert [each.fold for each in table.rows] == [None, 0, 1, 2]
    assert "are what the records say" in office.ask("verify", str(office.place.report("demo")))
