"""Every table of the thesis stands in a report as the thesis prints it, digit by digit."""

import html
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reports.baselines import load
from reports.contents import contents
from reports.page import render
from reports.tables.comparison import comparison
from studies.search.living_tree import stage_record
from studies.spec.load import load_study
from studies.tree.growth import grow
from studies.tree.ledger import Ledger
from studies.tree.ledger_rows import CellEnd
from studies.tree.study_record import read_study
from trackers.records import Outcome, StudyRecord

LIBRARY = Path(__file__).parents[2] / "studies" / "library"
ROOTS = ("COCO_ROOT", "OPEN_IMAGES_ROOT", "UCF101_ROOT")
OF_A_FIGURE = LIBRARY / "thesis" / "hidden_units.yaml"  # which prints no number to cite
OF_THESIS = sorted({*(LIBRARY / "thesis").glob("*.yaml")} - {OF_A_FIGURE})
SMALL = [LIBRARY / "small" / f.name for f in OF_THESIS if (LIBRARY / "small" / f.name).exists()]
# Heads and rows, as printed; typed from the thesis, not from our files.
PRINTED = {
    "thesis/table-1": """
        input size | 64 | 128 | 256
        params (M) | 11.1 | 17.5 | 34.8
        train time (min/epoch) | 92 | 270 | 1186
        accuracy | 0.41 | 0.43 | 0.44""",
    "thesis/table-2": """
        GPU | memory
        P100 | 16 GB
        V100 | 16 GB
        K80 | 12 GB
        Quadro M4000 | 8 GB
        GTX 1070 | 8 GB
        GTX 2060 | 6 GB""",
    "thesis/table-3": """
        lr | train acc | train MSE | val acc | val MSE | mAP
        1e-4 | 0.77 | 0.08 | 0.71 | 0.11 | 0.18
        1e-5 | 0.95 | 0.02 | 0.82 | 0.08 | 0.35
        1e-6 | 0.88 | 0.04 | 0.78 | 0.09 | 0.25""",
    "thesis/table-4": """
        batch | train acc | train MSE | val acc | val MSE | mAP | epochs | GPU (s/epoch)
        1 | 0.84 | 0.06 | 0.79 | 0.07 | 0.27 | 40 | P100 1040; T4 1150
        5 | 0.80 | 0.07 | 0.79 | 0.08 | 0.19 | 126 | K80 347; P100 200
        10 | 0.81 | 0.06 | 0.81 | 0.08 | 0.18 | 360 | P100 120; T4 140""",
    "thesis/table-6": """
        image size | mean overlapping boxes | time/epoch | GPU
        150 | 35.56% | 1150 s | T4
        300 | 68.89% | 2685 s | K80
        600 | 77.78% | 3500 s | T4""",
    "thesis/transfer": """
        class | AP
        all (mAP) | 0.37
        person | 0.29
        traffic light | 0.17
        car | 0.37
        bus | 0.58
        traffic sign | 0.42""",
    "thesis/quoted": """
        system | mAP, as the thesis calls it
        Faster R-CNN | 0.42
        YOLO | 57,9%""",
    "thesis/table-7": """
        class | train acc | train loss | val acc | val loss | IoU
        Person | 0.93 | 0.10 | 0.88 | 0.30 | 0.33
        Traffic light | 0.99 | 0.02 | 0.98 | 0.06 | 0.18
        Traffic sign | 0.99 | 0.03 | 0.98 | 0.08 | 0.57
        Car | 0.97 | 0.06 | 0.94 | 0.20 | 0.15
        Bus | 0.96 | 0.06 | 0.89 | 0.35 | 0.49""",
    "thesis/table-8": """
        class | img | train acc | train loss | val acc | val loss | IoU | total time
        Traffic light | 128 | 0.99 | 0.02 | 0.98 | 0.06 | 0.18 | 1.5 h
        Traffic light | 256 | 0.98 | 0.05 | 0.98 | 0.08 | 0.21 | 3.25 h
        Traffic light | 512 | 0.98 | 0.04 | 0.98 | 0.06 | 0.16 | 10 h
        Car | 128 | 0.96 | 0.07 | 0.94 | 0.18 | 0.16 | 1.75 h
        Car | 256 | 0.94 | 0.13 | 0.92 | 0.21 | 0.21 | 3.5 h
        Car | 512 | 0.94 | 0.14 | 0.94 | 0.18 | 0.19 | 10 h""",
    "thesis/table-9": """
        class | batch | train acc | train loss | val acc | val loss | IoU | time
        Traffic light | 1 | 0.98 | 0.05 | 0.98 | 0.08 | 0.21 | 3.25 h
        Traffic light | 2 | 0.99 | 0.02 | 0.98 | 0.05 | 0.24 | 2.60 h
        Traffic light | 5 | 0.99 | 0.01 | 0.98 | 0.07 | 0.26 | 2.50 h
        Car | 1 | 0.94 | 0.13 | 0.92 | 0.21 | 0.21 | 3.50 h
        Car | 2 | 0.96 | 0.07 | 0.94 | 0.16 | 0.23 | 2.80 h
        Car | 5 | 0.96 | 0.07 | 0.94 | 0.18 | 0.26 | 2.50 h""",
    "thesis/table-10": """
        lr | train acc | train loss | val acc | val loss | IoU
        1e-3 | 0.95 | 0.11 | 0.94 | 0.19 | 0.24
        1e-4 | 0.96 | 0.07 | 0.94 | 0.18 | 0.26
        1e-5 | 0.98 | 0.02 | 0.93 | 0.36 | 0.18""",
    "thesis/table-11": """
        class | first model | 0.2 | 0.3 | 0.4 | 0.5 | 0.6 | 0.7 | 0.8
        Person | 0.33 | 0.44 | 0.45 | 0.44 | 0.44 | 0.43 | 0.41 | 0.38
        Traffic light | 0.18 | 0.30 | 0.29 | 0.27 | 0.26 | 0.25 | 0.22 | 0.19
        Traffic sign | 0.57 | 0.58 | 0.59 | 0.58 | 0.57 | 0.55 | 0.53 | 0.50
        Car | 0.15 | 0.3 | 0.29 | 0.28 | 0.26 | 0.23 | 0.21 | 0.18
        Bus | 0.49 | 0.54 | 0.55 | 0.54 | 0.53 | 0.5 | 0.47 | 0.42""",
    "thesis/table-12": """
        picture | 0.2 | 0.4 | 0.6
        single object | 0.86 | 0.77 | 0.68
        car and person | 0.77 | 0.79 | 0.75""",
    "thesis/final": """
        class | IoU
        all five | 0.42""",
    "thesis/table-14": """
        optimiser | schedule | lr | wd | top-1 acc | top-5 acc | top-1 val | top-5 val
        SGD | StepLR | 0.01 | 1e-5 | 0.72 | 0.92 | 0.45 | 0.72
        SGD | StepLR | 0.001 | 1e-5 | 0.62 | 0.93 | 0.40 | 0.67
        SGD | StepLR | 0.001 | 0.0005 | 0.62 | 0.92 | 0.39 | 0.65
        SGD | ReduceLROnPlateau | 0.001 | 1e-5 | 0.82 | 0.97 | 0.44 | 0.67
        AdamW | N/A | 0.001 | 1e-5 | 0.85 | 0.98 | 0.54 | 0.78""",
    "thesis/table-16": """
        split | top-1 val | top-5 val
        random | 85% | almost 99%""",
    "thesis/quoted-slowfast": """
        system | top-1
        SlowFast | 75.6""",
}
# What a cell of each task measures, so that ours stands below theirs.
OURS = {
    "semantic_segmentation": {"test/iou": 0.123, "val/iou": 0.1},
    "object_detection": {"test/thesis_map": 0.123, "val/thesis_map": 0.1},
    "action_recognition": {"val/top1": 0.123, "val/top5": 0.3},
}
Lines = list[list[str]]
Recorded = Callable[[Path], StudyRecord]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """Return a function that plans a study file and says that every first cell is trained."""

    def record(file: Path) -> StudyRecord:
        spec = load_study(file, environ=dict.fromkeys(ROOTS, "/none"), check_data=False).spec
        ledger = Ledger(tmp_path / "workspace.db")
        tree = grow(
            spec,
            {},
            data_fingerprint=lambda data: str(data),
            start_fingerprint=lambda _: "start",
        )
        resolved = spec.model_dump(mode="json", by_alias=True)
        ledger.save_study(spec.study, text="", resolved=resolved, environment={"os": "x"})
        stages = [stage_record(stage) for stage in tree.stages]
        ledger.plan(spec.study, tree.cells().values(), stages)
        for cell in tree.cells():
            end = CellEnd(cell, Outcome.COMPLETE, "", OURS[spec.task], 1, 1.0, 1.0)
            ledger.settle(spec.study, end)
        found = read_study(ledger, tmp_path, spec.study)
        ledger.close()
        return found

    return record


def printed_on(page: str, name: str) -> Lines:
    """Return heads and rows of a table in the source's layout, ours left out."""
    slug = name.replace("/", "-")
    (table,) = re.findall(rf'<table[^>]* id="printed-{slug}">(.*?)</table>', page, re.DOTALL)
    head, body = table.split("</thead>")
    columns = [text_of(each) for each in re.findall(r"<th[^>]*>(.*?)</th>", head, re.DOTALL)]
    lines = [columns[:-1]]
    for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL):
        heads = re.findall(r'<th scope="row">(.*?)</th>', row, re.DOTALL)
        cells = re.findall(r'<span class="theirs">(.*?)</span>', row, re.DOTALL)
        lines.append([text_of(each) for each in (*heads, *cells)])
        assert 'class="verdict ' in row
    return lines


def text_of(markup: str) -> str:
    text = html.unescape(re.sub(r"<[^>]+>", "", markup))
    return text.replace("\N{WORD JOINER}", "").replace("\N{NARROW NO-BREAK SPACE}", " ").strip()


def typed(table: str) -> Lines:
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]


@pytest.mark.parametrize("file", [*OF_THESIS, *SMALL], ids=lambda f: f"{f.parent.name}/{f.stem}")
def test_a_study_s_report_prints_the_thesis_s_tables_in_their_layout(
    recorded: Recorded, file: Path
) -> None:
    study = recorded(file)
    page = render(study, generated_at="now")

    names = [name for name in study.baselines if name.startswith("thesis/")]
    assert names
    for name in names:
        assert printed_on(page, name) == typed(PRINTED[name])


def test_every_table_of_the_thesis_is_in_the_report_of_a_small_study() -> None:
    environ = dict.fromkeys(ROOTS, "/none")
    named = {
        name
        for file in SMALL
        for name in load_study(file, environ=environ, check_data=False).spec.baselines
    }
    assert set(PRINTED) <= named


def test_ours_stands_below_theirs(recorded: Recorded) -> None:
    tables = contents(recorded(LIBRARY / "thesis" / "unet_coco.yaml")).printed
    table = next(each for each in tables if each.name == "thesis/table-8")
    iou = table.rows[0].cells[table.columns.index("IoU")]
    loss = table.rows[0].cells[table.columns.index("train loss")]

    assert iou is not None
    assert iou.number is not None
    assert (iou.text, iou.number.ours_text) == ("0.18", "0.123")
    assert loss is not None
    assert loss.number is not None
    assert loss.number.ours is None  # no epoch was recorded


def test_the_number_of_kinetics_may_not_be_compared_with_ucf101(recorded: Recorded) -> None:
    study = recorded(LIBRARY / "thesis" / "slowfast_ucf101.yaml")
    (table,) = comparison(replace(study, baselines=("thesis/quoted-slowfast",)))
    (row,) = table.rows

    assert [number.printed for number in row.numbers if number] == ["0.756"]
    assert row.comparability.sentence.startswith("not comparable because ")
    assert "dataset ucf101, theirs kinetics400" in row.comparability.sentence


def test_the_0_42_of_the_abstract_is_labelled_as_what_it_is(recorded: Recorded) -> None:
    study = recorded(LIBRARY / "thesis" / "faster_rcnn_open_images.yaml")
    (table,) = comparison(replace(study, baselines=("thesis/quoted",)))
    first = table.rows[0]
    page = render(study, generated_at="now")
    (label, _) = [b.label for b in load(["thesis/quoted"])]

    assert table.columns == ("test-dev/ap50",)
    assert "dataset open_images, theirs coco" in first.comparability.sentence
    assert label == "AP50 on COCO test-dev of Ren et al., 42.1 or 42.7 %"
    assert label in page


def test_ours_of_each_size_stands_below_table_1(recorded: Recorded) -> None:
    tables = contents(recorded(LIBRARY / "thesis" / "input_size.yaml")).printed
    table = next(each for each in tables if each.name == "thesis/table-1")
    (accuracy,) = [row for row in table.rows if row.heads == ("accuracy",)]

    assert table.columns == ("64", "128", "256")
    for cell in accuracy.cells:
        assert cell is not None
        assert cell.number is not None
        assert cell.number.ours_text == "0.123"
        assert cell.number.comparability.reasons == ("scored split val, theirs test",)
