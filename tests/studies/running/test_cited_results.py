"""Which cited numbers are sent to the tracker, and under which names."""

from collections.abc import Callable

import pytest

from reports.baselines import load
from studies.running.cited_results import cited_results
from trackers.records import CellRecord, Outcome, StudyRecord


@pytest.fixture
def make_study() -> Callable[..., StudyRecord]:
    """Return a function that makes the record of a study of one cell with some metrics."""

    def make(*metrics: str, group: str = "", baseline: str = "thesis/table-8") -> StudyRecord:
        values = dict.fromkeys(metrics, 0.5)
        cell = CellRecord(
            *("a", {}, 0, group, Outcome.COMPLETE, "", values, 1, (), (), 0.0),
            class_slugs={"car": "car"},
        )
        return StudyRecord(
            name="s",
            task="semantic_segmentation",
            description="",
            metric="val/iou",
            direction="maximize",
            select_on="validation",
            settings={},
            base={},
            stages=(),
            cells={"a": cell},
            test_scores=(),
            test_looks=0,
            baselines=(baseline,),
            environment={},
            created_at=0.0,
            is_finished=True,
        )

    return make


MakeStudy = Callable[..., StudyRecord]


def test_a_row_is_sent_under_the_names_of_our_settings_and_metrics(make_study: MakeStudy) -> None:
    cited = load(["thesis/table-8"])
    car = [each for each in cited if each.protocol.class_name == "car"]
    metrics = sorted({f"{each.protocol.split}/{each.protocol.metric}" for each in car})
    sent = cited_results(make_study(*metrics, group="car"))
    assert sum(len(each.metrics) for each in sent) == len(car) > 0
    assert {each.settings["data.dataset"] for each in sent} == {"coco"}
    assert {each.settings["data.image_size"] for each in sent} == {
        each.protocol.image_size for each in car
    }
    assert all(each.name.startswith("baseline / thesis/table-8 / ") for each in sent)
    assert len({each.id for each in sent}) == len(sent)


def test_numbers_of_metrics_that_the_study_has_not_are_left_out(make_study: MakeStudy) -> None:
    assert cited_results(make_study("val/dice", group="car")) == ()


def test_a_class_of_a_network_of_several_is_named_after_the_metric(make_study: MakeStudy) -> None:
    splits = {each.protocol.split for each in load(["thesis/table-8"])}
    names = [f"{split}/iou_car" for split in splits]
    sent = cited_results(make_study(*names))
    assert sent
    assert {name for each in sent for name in each.metrics} <= set(names)
