"""What a search starts with: named configurations, and what earlier studies measured."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.catalog import data_fingerprint
from studies.search.measured import Measured
from studies.search.warm_start import (
    Start,
    UnknownEarlierStudyError,
    check_earlier_studies,
    search_start,
)
from studies.spec.schema import StudySpec
from studies.tree.cells import no_start
from studies.tree.growth import Walk, walk
from studies.tree.ledger import CellEnd, Ledger
from studies.tree.planning import Planner
from trackers.records import Outcome

MakeSpec = Callable[..., StudySpec]
RATE, BATCH = "training.learning_rate", "training.batch_size"
RATES = {"low": 1e-4, "high": 0.1, "log": True}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "workspace.db")
    yield opened
    opened.close()


def planner_of(spec: StudySpec) -> Planner:
    return Planner(spec, {}, data_fingerprint, no_start)


def grown(spec: StudySpec) -> Walk:
    return walk(planner_of(spec), {})


def ran(ledger: Ledger, spec: StudySpec) -> None:
    """Have a study in the ledger whose cells score their learning rate."""
    resolved = spec.model_dump(mode="json", by_alias=True)
    ledger.save_study(spec.study, text="", resolved=resolved, environment={})
    cells = grown(spec).tree.cells()
    ledger.plan(spec.study, cells.values(), [])
    for cell in cells.values():
        score = cell.settings.training.learning_rate
        end = CellEnd(cell.id, Outcome.COMPLETE, "", {"val/iou": score}, 1, 1.0, 1.0)
        ledger.settle(spec.study, end)


def started(ledger: Ledger, spec: StudySpec) -> Start:
    start = grown(spec)
    return search_start(
        start.tree.stages[0].stage,
        start.branches[0],
        ("",),
        planner_of(spec),
        earlier=ledger,
        measured=lambda study, *, cell: Measured(2, {}, {}),  # noqa: ARG005
    )


def later(make_spec: MakeSpec, warm_start: dict[str, Any], **sections: object) -> StudySpec:
    joint = {"space": {RATE: RATES}, "sampler": "tpe", "trials": 4, "warm_start": warm_start}
    return make_spec(search={"joint": joint}, **{"study": "later", **sections})


@pytest.fixture
def earlier(make_spec: MakeSpec, ledger: Ledger) -> StudySpec:
    """Return a study that ran; one of its rates lies outside the later one's range."""
    spec = make_spec({"stage": "rate", "vary": {RATE: [0.01, 0.05, 0.5]}}, study="earlier")
    ran(ledger, spec)
    return spec


def test_named_configurations_are_tried_first(make_spec: MakeSpec, ledger: Ledger) -> None:
    start = started(ledger, later(make_spec, {"values": [{RATE: 0.02}, {RATE: 0.03}]}))
    assert list(start.first) == [({RATE: 0.02}, "thesis"), ({RATE: 0.03}, "thesis")]
    assert start.known == []


@pytest.mark.usefixtures("earlier")
def test_what_was_measured_alike_is_told_and_not_trained_again(
    make_spec: MakeSpec, ledger: Ledger
) -> None:
    start = started(ledger, later(make_spec, {"studies": ["earlier"]}))
    assert [(each.varied, each.result.values) for each in start.known] == [
        ({RATE: 0.01}, (0.01,)),
        ({RATE: 0.05}, (0.05,)),
    ]
    assert list(start.first) == []


@pytest.mark.usefixtures("earlier")
def test_of_a_study_that_differs_the_best_point_inside_is_tried(
    make_spec: MakeSpec, ledger: Ledger
) -> None:
    training = {"learning_rate": 0.01, "batch_size": 2, "epochs": 7}
    start = started(ledger, later(make_spec, {"studies": ["earlier"]}, training=training))
    assert start.known == []
    assert list(start.first) == [({RATE: 0.05}, "study earlier")]


@pytest.mark.usefixtures("earlier")
@pytest.mark.parametrize(
    "section",
    [
        {"objective": {"metric": "val/iou", "direction": "minimize"}},
        {"budget": {"per_trial": {"epochs": 1}}},
    ],
    ids=["another choice of the epoch", "trained shorter"],
)
def test_what_other_conditions_measured_is_not_told(
    make_spec: MakeSpec, ledger: Ledger, section: dict[str, Any]
) -> None:
    start = started(ledger, later(make_spec, {"studies": ["earlier"]}, **section))
    assert start.known == []
    assert [source for _, source in start.first] == ["study earlier"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("earlyer", "'earlyer', which is not in the workspace; did you mean 'earlier'?"),
        ("later", "got 'later', which knows its own results already; remove it"),
    ],
)
def test_a_study_that_is_not_there_is_refused(
    make_spec: MakeSpec, name: str, message: str
) -> None:
    spec = later(make_spec, {"studies": [name]})
    with pytest.raises(UnknownEarlierStudyError) as caught:
        check_earlier_studies(spec, ("earlier", "later"))
    assert message in str(caught.value)
