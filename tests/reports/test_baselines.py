"""The thesis's tables, typed here a second time, row by row."""

import subprocess
import sys
from pathlib import Path

import pytest

from reports.baselines import Baseline, UnknownBaselineError, known_names, load

ROOT = Path(__file__).resolve().parents[2]
TABLE_7 = {
    "Person": (0.93, 0.10, 0.88, 0.30, 0.33),
    "Traffic light": (0.99, 0.02, 0.98, 0.06, 0.18),
    "Traffic sign": (0.99, 0.03, 0.98, 0.08, 0.57),
    "Car": (0.97, 0.06, 0.94, 0.20, 0.15),
    "Bus": (0.96, 0.06, 0.89, 0.35, 0.49),
}
TABLE_8_IOU = {
    ("traffic light", 128): 0.18,
    ("traffic light", 256): 0.21,
    ("traffic light", 512): 0.16,
    ("car", 128): 0.16,
    ("car", 256): 0.21,
    ("car", 512): 0.19,
}
TABLE_9_IOU = {
    ("traffic light", 1): 0.21,
    ("traffic light", 2): 0.24,
    ("traffic light", 5): 0.26,
    ("car", 1): 0.21,
    ("car", 2): 0.23,
    ("car", 5): 0.26,
}
TABLE_10_IOU = {1e-3: 0.24, 1e-4: 0.26, 1e-5: 0.18}
TABLE_11_MEANS = {
    0.2: 0.432,
    0.3: 0.434,
    0.4: 0.422,
    0.5: 0.412,
    0.6: 0.392,
    0.7: 0.368,
    0.8: 0.334,
}


def ious(name: str) -> list[Baseline]:
    return [b for b in load([name]) if b.protocol.metric == "iou"]


def test_every_table_has_as_many_numbers_as_the_thesis_prints() -> None:
    tables = [f"thesis/table-{number}" for number in range(7, 12)]
    assert set(tables) <= set(known_names())
    assert [len(load([table])) for table in tables] == [25, 36, 36, 15, 40]


def test_table_7_is_verbatim() -> None:
    found: dict[str, list[float]] = {}
    for baseline in load(["thesis/table-7"]):
        found.setdefault(baseline.row, []).append(baseline.value)
    assert {row: tuple(values) for row, values in found.items()} == TABLE_7


def test_tables_8_to_10_are_verbatim() -> None:
    by_size = {
        (b.protocol.class_name, b.protocol.image_size): b.value for b in ious("thesis/table-8")
    }
    by_batch = {
        (b.protocol.class_name, b.protocol.batch_size): b.value for b in ious("thesis/table-9")
    }
    by_rate = {b.protocol.learning_rate: b.value for b in ious("thesis/table-10")}
    assert by_size == TABLE_8_IOU
    assert by_batch == TABLE_9_IOU
    assert by_rate == TABLE_10_IOU


def test_columns_of_table_11_have_the_means_worked_out_from_the_print() -> None:
    columns: dict[float | None, list[float]] = {}
    for baseline in ious("thesis/table-11"):
        if baseline.protocol.image_size == 256:
            columns.setdefault(baseline.protocol.threshold, []).append(baseline.value)
    means = {threshold: sum(values) / 5 for threshold, values in columns.items()}
    assert means == pytest.approx(TABLE_11_MEANS, abs=1e-9)


def test_printed_digits_are_kept() -> None:
    first = load(["thesis/table-7"])[1]
    assert (first.printed, first.value) == ("0.10", 0.1)


def test_the_traffic_sign_is_the_stop_sign_and_says_so() -> None:
    signs = [
        b for b in load(["thesis/table-7", "thesis/table-11"]) if b.printed_class == "Traffic sign"
    ]
    assert signs
    assert {b.protocol.class_name for b in signs} == {"stop sign"}
    assert all(any("stop sign" in note for note in b.notes) for b in signs)


@pytest.mark.parametrize(
    ("name", "row", "words"),
    [
        ("thesis/table-8", "Car, 256 px", "600"),
        ("thesis/table-9", "Car, batch 1", "printed twice"),
        ("thesis/table-11", "Bus, threshold 0.4", "0.2-0.3"),
        ("thesis/table-11", "Car, first model", "Table 7"),
    ],
)
def test_contradictions_stay_with_the_number_they_touch(name: str, row: str, words: str) -> None:
    notes = [note for b in load([name]) if b.row == row for note in b.notes]
    assert any(words in note for note in notes)


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(
        UnknownBaselineError, match=r"'thesis/tabel-7'; did you mean 'thesis/table-7'"
    ):
        load(["thesis/tabel-7"])


def test_names_are_known_without_plotly_or_torch() -> None:
    code = (
        "import sys; from reports.baselines import known_names; known_names();"
        "print(sorted({'plotly', 'torch', 'numpy'} & set(sys.modules)))"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
