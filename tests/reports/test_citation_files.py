"""A user's own file of cited numbers: what is read, and what is said of a row that is wrong."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from reports.baselines import BaselineFileError, Protocol, UnknownBaselineError, load
from reports.baselines.citation_files import parse
from reports.page import render
from reports.tables.comparison import comparison
from trackers.records import StudyRecord

Build = Callable[[int], StudyRecord]
HEAD = "baseline,row,system,task,dataset,metric,value,source,split,learning_rate,note"
GOOD = "mine/unet,base,U-Net,semantic_segmentation,street_scenes,iou,0.71,our lab,val,1e-3,a | b"
TASKS = ("object_detection", "semantic_segmentation")


def faults(*rows: str, head: str = HEAD) -> list[str]:
    with pytest.raises(BaselineFileError) as caught:
        parse("\n".join([head, *rows]), "mine.csv", tasks=TASKS)
    return [str(fault) for fault in caught.value.faults]


def test_a_row_with_the_least_columns_is_a_number() -> None:
    (found,) = parse(f"\ufeff{HEAD}\n{GOOD}\n", "mine.csv", tasks=TASKS)
    assert found.protocol == Protocol(
        "semantic_segmentation", "street_scenes", "all", "iou", "val", learning_rate=1e-3
    )
    assert (found.value, found.printed, found.notes) == (0.71, "0.71", ("a", "b"))
    assert found.place is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.71", "71", "iou must be a fraction of 1, got 71; write 0.71, and '71 %' in the"),
        ("0.71", "high", "value must be a number, got 'high'"),
        ("0.71", "nan", "value must be a number, got 'nan'"),
        ("1e-3", "fast", "learning_rate must be a number, got 'fast'"),
        ("our lab", "", "a row must have a value for source; fill in what the source says"),
        (
            "semantic_segmentation",
            "semantic_segmentaton",
            "unknown task 'semantic_segmentaton'; did you mean 'semantic_segmentation'?",
        ),
        (",val,", ",", "a row must have as many fields as the first; quote a text"),
    ],
)
def test_a_wrong_field_is_told_with_its_line(old: str, new: str, message: str) -> None:
    (fault,) = faults(GOOD, GOOD.replace(old, new))
    assert fault.startswith(f"mine.csv:3: {message}")


PLACED = f"{HEAD},row_headers,printed_row,printed,printed_column"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("class | size,car,0.71,IoU", "printed_row must have as many parts"),
        ("class,car,0.71 | 2 h,IoU", "printed must have no more parts"),
        ("size,car,0.71,IoU", "row_headers must be 'class' in every row of mine/unet, got 'size'"),
    ],
)
def test_a_wrong_place_in_the_source_s_table_is_told(place: str, message: str) -> None:
    (fault,) = faults(f"{GOOD},class,bus,0.71,IoU", f"{GOOD},{place}", head=PLACED)
    assert fault.startswith(f"mine.csv:3: {message}")


def test_a_text_may_fill_several_columns_of_the_source_s_table() -> None:
    (found,) = parse(f"{PLACED}\n{GOOD},class,car,0.71 | 2 h,IoU | time", "mine.csv")
    assert found.place is not None
    assert (found.place.columns, found.place.texts) == (("IoU", "time"), ("0.71", "2 h"))


def test_every_wrong_row_is_told_at_once() -> None:
    found = faults(GOOD.replace("0.71", "x"), GOOD, GOOD.replace("1e-3", "y"))
    assert [fault.split(": ")[0] for fault in found] == ["mine.csv:2", "mine.csv:4"]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (HEAD.replace("split", "splt"), "unknown column 'splt'; did you mean 'split'?"),
        (HEAD.replace(",source", ""), "the first row must name the columns"),
        (f"{HEAD},split", "column 'split' must stand there once; remove the others"),
    ],
)
def test_a_wrong_first_row_is_told(head: str, message: str) -> None:
    assert faults(GOOD, head=head)[0].startswith(f"mine.csv:1: {message}")


def test_a_file_without_a_number_is_refused() -> None:
    assert faults() == ["mine.csv:1: a file of cited numbers must hold one, got none; add one"]


def test_a_study_s_own_numbers_stand_in_its_report(build: Build) -> None:
    own = replace(
        build(1),
        baselines=("mine.csv", "segnet-2017"),
        cited_files={"mine.csv": f"{HEAD}\n{GOOD}\n"},
    )
    assert [table.name for table in comparison(own)] == ["mine/unet", "segnet-2017"]
    page = render(own, generated_at="now")
    assert "our lab" in page
    assert ">0.71<" in page


def test_a_file_that_was_not_kept_is_named() -> None:
    with pytest.raises(UnknownBaselineError, match=r"unknown baseline 'mine\.csv'"):
        load(["mine.csv"])
