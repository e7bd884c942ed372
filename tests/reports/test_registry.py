"""What the files of published numbers hold, counted; the numbers are typed in other tests."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from reports.baselines import (
    Baseline,
    BaselineError,
    Verification,
    every_baseline,
    known_names,
    load,
)
from reports.baselines.listing import Wanted, summaries
from reports.tables.comparison import comparison
from trackers.records import StudyRecord


def test_no_number_is_lost() -> None:
    """863 rows were gathered for these tasks, 225 of them of the thesis."""
    by_task = Counter(b.protocol.task for b in every_baseline())
    assert by_task == {
        "action_recognition": 284,
        "image_classification": 168,
        "instance_segmentation": 17,
        "object_detection": 176,
        "semantic_segmentation": 224,
        "hardware": 6,
    }
    assert sum(b.name.startswith("thesis/") for b in every_baseline()) == 247


def test_no_number_stands_twice() -> None:
    keys = Counter(
        (b.name, b.row, b.protocol.dataset, b.protocol.split, b.protocol.metric)
        for b in every_baseline()
    )
    assert [key for key, count in keys.items() if count > 1] == []


def test_every_number_reaches_the_comparison(build: Callable[[int], StudyRecord]) -> None:
    tables = comparison(replace(build(1), baselines=known_names()))
    reached = Counter(
        {t.name: sum(len([n for n in r.numbers if n]) for r in t.rows) for t in tables}
    )
    assert reached == Counter(b.name for b in every_baseline())
    (i3d,) = [table for table in tables if table.name == "i3d-2017"]
    assert [row.row for row in i3d.rows[:3]] == [
        "LSTM on Inception-v1, ucf101",
        "LSTM on Inception-v1, hmdb51",
        "LSTM on Inception-v1, kinetics400",
    ]


def test_every_number_says_how_it_was_verified() -> None:
    assert [b.row for b in every_baseline() if b.verified is Verification.UNSTATED] == []


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        ("Recalled, not read again", {Verification.RECALLED}),
        ("Read in another work's table", {Verification.QUOTED, Verification.RECALLED}),
    ],
)
def test_a_note_and_the_field_agree(words: str, kinds: set[Verification]) -> None:
    noted = [b for b in every_baseline() if any(note.startswith(words) for note in b.notes)]
    assert noted
    assert {b.verified for b in noted} <= kinds


def one(name: str, row: str, metric: str) -> Baseline:
    (found,) = [b for b in load([name]) if (b.row, b.protocol.metric) == (row, metric)]
    return found


def test_a_number_printed_in_per_cent_keeps_the_source_s_digits() -> None:
    found = one("resnet-2016", "ResNet-50 (10-crop)", "top1")
    assert (found.value, found.printed, found.as_printed) == (0.7715, "0.7715", "22.85 %")
    assert "Printed as an error of 22.85 %; here its complement." in found.notes
    assert (found.parameters_m, found.gmacs, found.protocol.views) == (25.56, 3.8, 10)


def test_every_per_cent_is_the_fraction_or_its_complement() -> None:
    printed = [b for b in every_baseline() if b.as_printed.endswith(" %")]
    assert len(printed) > 500
    for b in printed:
        share = float(b.as_printed.removesuffix(" %")) / 100
        is_error = any(note.startswith("Printed as an error") for note in b.notes)
        assert b.value == pytest.approx(1 - share if is_error else share, abs=1e-12)


def test_pretraining_is_told_apart() -> None:
    starts = {
        b.row: b.protocol.pretraining
        for b in load(["r2plus1d-2018"])
        if b.protocol.dataset == "kinetics400"
    }
    assert starts["R(2+1)D-34 RGB, from random weights"] == "none"
    assert starts["R(2+1)D-34 RGB, Sports-1M"] == "sports1m"


def test_a_picture_of_curves_is_refused_as_such() -> None:
    with pytest.raises(BaselineError, match="'thesis/table-13' is a picture of curves"):
        load(["thesis/table-13"])


def test_a_listing_is_narrowed_by_task_data_and_metric() -> None:
    found = summaries(Wanted(task="semantic_segmentation", dataset="camvid", metric="iou"))
    assert [(each.name, each.numbers) for each in found] == [("segnet-2017", 1)]
    with pytest.raises(BaselineError, match=r"unknown dataset 'camvit'; did you mean 'camvid'\?"):
        summaries(Wanted(dataset="camvit"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("thesis/table-1", "not of the 78 million of C3D"),
        ("thesis/table-2", "RTX 2060"),
        ("thesis/table-3", "only 1e-4, 1e-5 and 1e-6 have results"),
        ("thesis/table-3", "it is 5 points"),
        ("thesis/table-3", "has 136.7"),
        ("thesis/table-4", "K80 alone"),
        ("thesis/table-7", "Parameters are printed as 36 million"),
        ("thesis/table-7", "40 epochs"),
        ("thesis/table-8", "overfits after 4 hours"),
        ("thesis/table-14", "half a cosine"),
        ("thesis/table-14", "Accuracy is defined twice"),
        ("thesis/quoted-slowfast", "700 classes"),
        ("thesis/final", "0.3 has 0.434"),
        ("two-stream-fusion-blog", "quotes it as the data set's record"),
        ("vgg-2015", "calls VGG-16 the record of 2015"),
        ("alexnet-2012", "62.4 million"),
    ],
)
def test_contradictions_stay_with_the_number_they_touch(name: str, words: str) -> None:
    assert any(words in note for b in load([name]) for note in b.notes)
