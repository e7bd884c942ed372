"""Workers that a search cannot keep busy are told of before a trial starts."""

from collections.abc import Callable
from typing import Any

import pytest

from studies.running.executors import Placement
from studies.running.idle_slots import idle_warnings
from studies.spec.schema import StudySpec

MakeSpec = Callable[..., StudySpec]
SEARCH = {
    "stage": "rate",
    "vary": {"training.learning_rate": {"low": 1e-4, "high": 0.1, "log": True}},
    "sampler": "tpe",
    "trials": 40,
}
EIGHT = Placement(executor="ray", workers=8)


def test_a_search_that_waits_for_results_says_what_keeps_all_workers_busy(
    make_spec: MakeSpec,
) -> None:
    (said,) = idle_warnings(make_spec(SEARCH), EIGHT)

    assert "stage 'rate' runs at most 4 trials at a time, and there are 8 workers" in said
    assert "parallel: 8" in said


@pytest.mark.parametrize(
    ("stage", "search"),
    [
        ({"parallel": 8}, {}),
        ({}, {"replicates": 2}),
        ({"sampler": "random"}, {}),
    ],
    ids=["as many at a time", "two seeds of each", "results do not matter"],
)
def test_a_search_that_keeps_all_workers_busy_says_nothing(
    make_spec: MakeSpec, stage: dict[str, Any], search: dict[str, Any]
) -> None:
    assert list(idle_warnings(make_spec({**SEARCH, **stage}, search=search), EIGHT)) == []


def test_workers_of_the_machine_count_and_one_is_never_idle(make_spec: MakeSpec) -> None:
    spec = make_spec(SEARCH)

    assert len(list(idle_warnings(spec, Placement(workers=5)))) == 1
    assert list(idle_warnings(spec, Placement(executor="inline"))) == []
    assert list(idle_warnings(spec, Placement(executor="ray"))) == [], "machines come and go"
