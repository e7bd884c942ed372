"""What follows a tree must have something to look back on, and extends a study."""

from collections.abc import Callable

import pytest

from studies.spec.diff import classify_changes
from studies.spec.load import LoadedStudy

STAGES = """\
    - stage: batch
      vary: {training.batch_size: [2, 4]}
"""
BEFORE_TREE = "  tree:\n"


def problems_with(problems: Callable[[str], list[str]], text: str, key: str) -> list[str]:
    """Put a key of `search` before the tree; return what is wrong then."""
    return problems(text.replace(BEFORE_TREE, f"  {key}\n{BEFORE_TREE}"))


def test_probe_of_a_single_stage_is_refused(
    problems: Callable[[str], list[str]], study_text: str
) -> None:
    assert problems_with(problems, study_text, "probe: true") == [
        "8:3: search.probe: 'probe' looks beside what stages before the last chose, and there is "
        "only 1 stage; remove it"
    ]


def test_interval_over_images_needs_a_metric_that_can_be_resampled(
    problems: Callable[[str], list[str]], study_text: str
) -> None:
    text = study_text.replace("val/iou", "val/iou_with_background")
    (problem,) = problems_with(problems, text, "select: {interval: images}")
    assert "search.select.interval: intervals over images cannot be told of" in problem
    assert "it knows iou, iou_image_mean, dice" in problem


@pytest.mark.parametrize(
    ("name", "key", "by"),
    [("fresh seeds", "confirm: {}", "confirm"), ("beside learning rate", "probe: true", "probe")],
)
def test_name_that_follows_the_tree_is_refused(
    name: str, key: str, by: str, problems: Callable[[str], list[str]], study_text: str
) -> None:
    text = study_text + STAGES.replace("batch\n", f"{name}\n")
    (problem,) = problems_with(problems, text, key)
    assert problem.endswith(f"'{name}' is what `{by}` calls its own; rename it")


def test_confirmation_without_training_is_refused(
    problems: Callable[[str], list[str]], study_text: str
) -> None:
    text = study_text.replace(
        "vary: {training.learning_rate: [1e-3, 1e-4]}",
        "vary: {evaluation.threshold: [0.3, 0.5]}\n      after_training: true",
    )
    (problem,) = problems_with(problems, text, "confirm: {}")
    assert "every stage of this study is after_training; remove it" in problem


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ("", "  probe: true\n", {"extends"}),
        ("  probe: true\n", "", {"neutral"}),
        ("", "  confirm: {}\n", {"extends"}),
        ("  confirm: {seeds: 2}\n", "  confirm: {seeds: 4}\n", {"extends"}),
        ("  confirm: {seeds: 4}\n", "  confirm: {seeds: 2}\n", {"neutral"}),
        ("  confirm: {}\n", "", {"neutral"}),
        ("", "  select: {interval: images}\n", {"refused"}),
    ],
)
def test_what_follows_the_tree_may_come_and_go(
    before: str,
    after: str,
    kinds: set[str],
    load: Callable[..., LoadedStudy],
    study_text: str,
) -> None:
    text = study_text + STAGES
    old, new = (
        load(text.replace(BEFORE_TREE, key + BEFORE_TREE)).resolved for key in (before, after)
    )
    assert {change.kind for change in classify_changes(old, new)} == kinds
