"""Metrics that are computed only where `evaluation.also` asks for them."""

from collections.abc import Callable

import pytest

Heads = Callable[..., list[str]]
OBJECTIVE = "{metric: val/iou}"
COSTLY = "is costly and computed only where it is asked for; add"


@pytest.mark.parametrize(
    ("metric", "also"),
    [
        ("boundary_f1", "boundary_f1"),
        ("rand_error", "rand_error"),
        ("pixel_error", "rand_error"),
    ],
)
def test_objective_must_be_asked_for(problems_after: Heads, metric: str, also: str) -> None:
    direction = "maximize" if metric == "boundary_f1" else "minimize"
    objective = f"{{metric: val/{metric}, direction: {direction}}}"
    assert problems_after(OBJECTIVE, objective) == [
        f"6:21: objective.metric: val/{metric} {COSTLY} `also: [{also}]` to evaluation"
    ]


def test_what_is_asked_for_already_stays(problems: Heads, study_text: str) -> None:
    text = study_text.replace(OBJECTIVE, "{metric: val/boundary_f1}")
    text = text.replace("search:", "evaluation: {also: [rand_error]}\nsearch:")
    (problem,) = problems(text)
    assert problem.endswith("add `also: [rand_error, boundary_f1]` to evaluation")


def test_objective_that_is_asked_for_is_accepted(
    load: Callable[..., object], study_text: str
) -> None:
    text = study_text.replace(OBJECTIVE, "{metric: val/rand_error, direction: minimize}")
    load(text.replace("search:", "evaluation: {also: [rand_error]}\nsearch:"))


def test_error_is_minimised(problems: Heads, study_text: str) -> None:
    text = study_text.replace(OBJECTIVE, "{metric: val/rand_error}")
    text = text.replace("search:", "evaluation: {also: [rand_error]}\nsearch:")
    assert problems(text) == [
        "6:21: objective.metric: a lower val/rand_error is better; "
        "add `direction: minimize` to the objective"
    ]


def test_unknown_metric_to_ask_for_is_told(problems: Heads, study_text: str) -> None:
    text = study_text.replace("search:", "evaluation: {also: [rand_eror]}\nsearch:")
    (problem,) = problems(text)
    assert "did you mean 'rand_error'" in problem
