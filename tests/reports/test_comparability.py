from dataclasses import replace

import pytest

from reports.baselines import Protocol, Standing, compare_protocols
from reports.baselines.comparability import count_differences, varied_fields
from reports.tables.comparison import comparison
from reports.tables.protocols import measure
from trackers.records import StudyRecord

CITED = Protocol(
    task="semantic_segmentation",
    dataset="coco",
    class_name="car",
    metric="iou",
    split="test",
    selected_on="test",
    classes_per_model=1,
    image_size=128,
    batch_size=2,
    learning_rate=1e-4,
    optimizer="adam",
    loss="bce",
    threshold=0.5,
    epochs=30,
    train_images=4000,
    scored_images=800,
    pretraining="none",
)


def test_what_a_table_varies_decides_which_of_ours_stands_beside_a_row() -> None:
    thresholds = [replace(CITED, threshold=value) for value in (0.2, 0.5, 0.8)]
    varied = varied_fields(thresholds)
    assert varied == {"threshold"}
    its_threshold = replace(CITED, threshold=0.2, learning_rate=1e-2, batch_size=5)
    its_learning_rate = CITED
    counts = [
        count_differences(thresholds[0], ours, varied)
        for ours in (its_threshold, its_learning_rate)
    ]
    assert counts == [(0, 2), (1, 1)]


def test_equal_protocols_are_the_same() -> None:
    verdict = compare_protocols(CITED, CITED)
    assert verdict.sentence == "same protocol"
    assert verdict.unstated == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"dataset": "camvid"}, "not comparable because dataset camvid, theirs coco"),
        ({"class_name": "bus"}, "not comparable because class bus, theirs car"),
        ({"train_images": 64}, "not comparable because training images 64, theirs 4000"),
        ({"epochs": 3}, "not comparable because epochs 3, theirs 30"),
        ({"image_size": 512}, "not comparable because image size 512, theirs 128"),
        ({"train_images": 2000}, "comparable with care: training images 2000, theirs 4000"),
        ({"image_size": 256}, "comparable with care: image size 256, theirs 128"),
        ({"split": "val"}, "comparable with care: scored split val, theirs test"),
        (
            {"pretraining": "imagenet"},
            "not comparable because pretraining imagenet, theirs none",
        ),
        (
            {"threshold": 0.4, "learning_rate": 1e-3},
            "comparable with care: learning rate 1e-3, theirs 1e-4; threshold 0.4, theirs 0.5",
        ),
    ],
)
def test_each_difference_has_its_verdict(changes: dict[str, object], sentence: str) -> None:
    ours = replace(CITED, **changes)  # type: ignore[arg-type]
    assert compare_protocols(CITED, ours).sentence == sentence


def test_what_a_source_does_not_state_is_held_against_nobody() -> None:
    verdict = compare_protocols(replace(CITED, optimizer=None), replace(CITED, optimizer="sgd"))
    assert verdict.standing is Standing.SAME
    assert verdict.unstated == ("optimizer",)


@pytest.mark.parametrize(
    ("cited", "sentence"),
    [
        ("grouped", "not comparable because split policy random, theirs grouped"),
        (None, "not comparable because split policy random, theirs not stated"),
        ("stratified", "same protocol"),  # both leak
    ],
)
def test_a_split_that_cuts_recordings_stands_beside_its_like_alone(
    cited: str | None, sentence: str
) -> None:
    drives = replace(CITED, dataset="camvid", split_policy=cited)
    assert compare_protocols(drives, replace(drives, split_policy="random")).sentence == sentence
    pictures = replace(drives, dataset="coco")  # no two of them from one recording
    ours = replace(pictures, split_policy="random")
    assert compare_protocols(pictures, ours).sentence == "same protocol"


@pytest.mark.parametrize(("split", "policy"), [("val", "grouped"), ("test", "random")])
def test_folds_keep_recordings_whole_in_validation(
    study: StudyRecord, split: str, policy: str
) -> None:
    cell = next(iter(study.cells.values()))
    settings = {**cell.settings, "data.split.policy": "random", "data.split.folds": 5}
    cell = replace(cell, settings=settings, metrics={**cell.metrics, "test/iou": 0.3})
    found = measure(study, cell, "person, car", metric="iou", split=split)
    assert found is not None
    assert found.protocol.split_policy == policy


def test_the_thesis_protocol_is_recognised(class_study: StudyRecord) -> None:
    table = {t.name: t for t in comparison(class_study)}["thesis/table-7"]
    rows = {row.row: row for row in table.rows}
    assert rows["Car"].comparability.sentence == "same protocol"
    assert rows["Traffic sign"].comparability.sentence == "same protocol"
    assert "no result for class 'person'" in rows["Person"].comparability.sentence


def test_ours_is_the_mean_over_seeds_of_the_nearest_configuration(
    class_study: StudyRecord,
) -> None:
    table = {t.name: t for t in comparison(class_study)}["thesis/table-8"]
    row = next(row for row in table.rows if row.row == "Car, 256 px")
    number = row.numbers[table.columns.index("test/iou")]
    cells = [class_study.cells[f"image=256/car/{seed}"] for seed in range(2)]
    values = [cell.metrics["test/iou"] for cell in cells]
    assert number is not None
    assert number.ours == pytest.approx(sum(values) / 2)
    assert number.seeds == 2
    assert number.judgement is not None
    assert number.judgement.reason == "2 seeds, and a verdict needs 3"
    assert number.difference == pytest.approx(sum(values) / 2 - 0.21)
    hours = row.numbers[table.columns.index("hours")]
    assert hours is not None
    assert hours.ours == pytest.approx(sum(cell.seconds for cell in cells) / 2 / 3600)


def test_a_size_that_was_not_tried_is_not_answered_by_a_quarter_of_it(
    class_study: StudyRecord,
) -> None:
    table = {t.name: t for t in comparison(class_study)}["thesis/table-8"]
    row = next(row for row in table.rows if row.row == "Car, 512 px")
    assert row.comparability.standing is not Standing.SAME
    assert any("image size" in reason for reason in row.comparability.reasons)


def test_threshold_cells_take_their_training_from_the_cell_they_scored(
    class_study: StudyRecord,
) -> None:
    table = {t.name: t for t in comparison(class_study)}["thesis/table-11"]
    row = next(row for row in table.rows if row.row == "Car, threshold 0.4")
    assert row.comparability.sentence == "same protocol"
    assert row.ours == "threshold 0.4"


def test_validation_stands_in_for_test_and_says_so(class_study: StudyRecord) -> None:
    cells = {
        key: replace(cell, metrics={"val/iou": cell.metrics["val/iou"]})
        for key, cell in class_study.cells.items()
    }
    study = replace(class_study, cells=cells, metric="val/iou", select_on="validation")
    row = next(r for r in comparison(study)[0].rows if r.row == "Car")
    assert row.comparability.standing is Standing.CARE
    assert "scored split val, theirs test" in row.comparability.reasons
    assert "selected on val, theirs test" in row.comparability.reasons


def test_another_dataset_is_never_comparable(study: StudyRecord) -> None:
    (table,) = comparison(study)
    assert not table.is_comparable
    assert table.shared_reasons == ("dataset street_scenes, theirs coco",)


def test_every_row_of_every_named_table_appears(class_study: StudyRecord) -> None:
    tables = comparison(class_study)
    assert [table.name for table in tables] == list(class_study.baselines)
    assert [len(table.rows) for table in tables] == [5, 6, 40, 5]
    assert all(row.notes == () for row in tables[0].rows if row.row == "Person")
