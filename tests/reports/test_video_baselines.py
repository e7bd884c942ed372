"""Published numbers of action recognition, typed here a second time."""

import pytest

from reports.baselines import Baseline, load

Key = tuple[str, str]  # split, metric
COLUMNS: tuple[Key, ...] = (("train", "top1"), ("train", "top5"), ("val", "top1"), ("val", "top5"))
TABLE_14 = {
    ("sgd", "step", 1e-2, 1e-5): (0.72, 0.92, 0.45, 0.72),
    ("sgd", "step", 1e-3, 1e-5): (0.62, 0.93, 0.40, 0.67),
    ("sgd", "step", 1e-3, 5e-4): (0.62, 0.92, 0.39, 0.65),
    ("sgd", "plateau", 1e-3, 1e-5): (0.82, 0.97, 0.44, 0.67),
    ("adamw", "constant", 1e-3, 1e-5): (0.85, 0.98, 0.54, 0.78),
}
# baseline, dataset, metric -> values in the order of the file
PRINTED = {
    ("c3d-2015", "ucf101", "top1"): [0.823, 0.852, 0.904],
    ("c3d-2015", "sports1m", "top1"): [0.611, 0.600],
    ("c3d-mmaction2", "ucf101", "top1"): [0.8308],
    ("single-stream-2014", "sports1m", "top1"): [
        *(0.593, 0.577, 0.593, 0.609, 0.639),
        *(0.553, 0.600, 0.499, 0.560),
    ],
    ("two-stream-2014", "ucf101", "top1"): [0.730, 0.837, 0.869, 0.880],
    ("two-stream-2014", "hmdb51", "top1"): [0.405, 0.546, 0.580, 0.594],
    ("two-stream-fusion-2016", "ucf101", "top1"): [0.925, 0.935],
    ("lrcn-2017", "ucf101", "top1"): [
        *(0.6737, 0.7437, 0.7546, 0.7894),
        *(0.682, 0.7728, 0.809, 0.8234),
    ],
    ("i3d-2017", "ucf101", "top1"): [
        *(0.810, 0.516, 0.912, 0.893, 0.934),
        *(0.956, 0.967, 0.980, 0.951, 0.965, 0.978),
    ],
    ("i3d-2017", "hmdb51", "top1"): [
        *(0.360, 0.243, 0.583, 0.568, 0.664),
        *(0.748, 0.771, 0.807, 0.743, 0.773, 0.809),
    ],
    ("r2plus1d-2018", "ucf101", "top1"): [0.936, 0.933, 0.950, 0.968, 0.955, 0.973],
    ("r2plus1d-2018", "hmdb51", "top1"): [0.666, 0.701, 0.727, 0.745, 0.764, 0.787],
    ("r2plus1d-2018", "kinetics400", "top1"): [0.720, 0.675, 0.739, 0.743, 0.685, 0.754],
    ("vmz", "kinetics400", "clip_top1"): [0.573, 0.529, 0.475, 0.541, 0.523],
    ("slowfast-2019", "kinetics400", "top1"): [
        *(0.756, 0.770, 0.779, 0.789, 0.798, 0.726, 0.517),
        *(0.735, 0.745, 0.743, 0.754, 0.756, 0.758, 0.752, 0.751, 0.742),
    ],
    ("slowfast-2019", "kinetics400", "top5"): [
        *(0.921, 0.926, 0.932, 0.935, 0.939, 0.903, 0.785),
        *(0.903, 0.913, 0.910, 0.918, 0.917, 0.920, 0.918, 0.917, 0.913),
    ],
}


@pytest.mark.parametrize(("name", "dataset", "metric"), PRINTED)
def test_a_paper_s_numbers_are_verbatim(name: str, dataset: str, metric: str) -> None:
    rows = [
        b for b in load([name]) if (b.protocol.dataset, b.protocol.metric) == (dataset, metric)
    ]
    assert [row.value for row in rows] == PRINTED[name, dataset, metric]


def test_table_14_is_verbatim() -> None:
    found: dict[tuple[object, ...], dict[Key, float]] = {}
    for b in load(["thesis/table-14"]):
        p = b.protocol
        row = (p.optimizer, p.schedule, p.learning_rate, p.weight_decay)
        found.setdefault(row, {})[p.split, p.metric] = b.value
    assert found == {row: dict(zip(COLUMNS, v, strict=True)) for row, v in TABLE_14.items()}
    assert {b.protocol.split_policy for b in load(["thesis/table-14"])} == {"grouped"}


def test_table_1_is_of_the_squares_that_its_networks_saw() -> None:
    sizes = {b.row.rpartition(" ")[2]: b.protocol.image_size for b in load(["thesis/table-1"])}
    assert sizes == {"64": 56, "128": 112, "256": 224}


def test_table_16_is_of_a_leaky_split_and_says_so() -> None:
    rows = load(["thesis/table-16"])
    assert [(b.protocol.metric, b.printed) for b in rows] == [("top1", "0.85"), ("top5", "0.99")]
    for row in rows:
        assert row.protocol.split_policy == "random"
        assert any(note.startswith("Leaky:") for note in row.notes)


@pytest.mark.parametrize(
    ("name", "row", "words"),
    [
        ("thesis/table-14", "SGD, StepLR, learning rate 1e-2, weight decay 1e-5", "5e-5"),
        ("thesis/table-14", "AdamW, learning rate 1e-3, weight decay 1e-5", "55 per cent"),
        ("thesis/table-14", "AdamW, learning rate 1e-3, weight decay 1e-5", "36 million"),
        ("thesis/quoted-slowfast", "SlowFast 4x16, ResNet-50, as quoted", "abstracts print 75"),
        ("two-stream-fusion-2016", "Two-stream fusion with iDT", "94.2"),
        ("i3d-2017", "LSTM on Inception-v1", "63.6"),
    ],
)
def test_contradictions_stay_with_the_number_they_touch(name: str, row: str, words: str) -> None:
    notes = [note for b in load([name]) if b.row == row for note in b.notes]
    assert any(words in note for note in notes)


def of_official_splits(rows: tuple[Baseline, ...]) -> list[Baseline]:
    return [b for b in rows if b.protocol.dataset in ("ucf101", "hmdb51")]


@pytest.mark.parametrize("name", ["c3d-2015", "two-stream-2014", "lrcn-2017", "i3d-2017"])
def test_numbers_on_ucf101_and_hmdb51_say_of_which_splits(name: str) -> None:
    rows = of_official_splits(load([name]))
    assert rows
    for row in rows:
        assert row.protocol.split_policy == "given"
        assert any("official splits" in n or "split 1 alone" in n for n in row.notes)


def test_numbers_from_memory_say_so() -> None:
    words = "Recalled, not read again."
    recalled = [
        (b.name, b.row) for b in load(["c3d-2015", "single-stream-2014"]) if words in b.notes
    ]
    assert set(recalled) == {
        ("c3d-2015", "C3D, from random weights, Sports-1M"),
        ("single-stream-2014", "Slow fusion, from random weights"),
    }
