"""Splits that flatter scores, wherever a study names them."""

from collections.abc import Callable

import pytest

from studies.spec.load import LoadedStudy
from studies.spec.split_policies import warnings_of_splits

ACTIONS = """\
study: demo
task: action_recognition
data: {dataset: street_actions, image_size: 32, clip: {frames: 4}, split: {policy: grouped}}
model: {name: constant}
objective: {metric: val/top1}
search:
"""
GROUPED_ALONE = "  tree: [{stage: size, vary: {data.image_size: [32, 64]}}]"


def warned_of(load: Callable[..., LoadedStudy], search: str) -> list[str]:
    """Return the policies that a study is warned of."""
    return [line.split("'")[1] for line in warnings_of_splits(load(ACTIONS + search).spec)]


def test_a_study_that_keeps_groups_whole_is_not_warned(load: Callable[..., LoadedStudy]) -> None:
    assert warned_of(load, GROUPED_ALONE) == []


@pytest.mark.parametrize(
    "stage",
    [
        "vary: {data.split.policy: [grouped, random, given]}",
        "vary: {data.split: [{policy: grouped}, {policy: random, val: 0.3}]}",
        "vary: {data.image_size: [32, 64]}, with: {data.split.policy: random}",
        "vary: {data.image_size: [32, 64]}, with: {data.split: {policy: random}}",
    ],
)
def test_a_stage_that_cuts_groups_is_warned_of(
    load: Callable[..., LoadedStudy], stage: str
) -> None:
    assert warned_of(load, f"  tree: [{{stage: split, {stage}}}]") == ["random"]


def test_a_joint_search_that_cuts_groups_is_warned_of(load: Callable[..., LoadedStudy]) -> None:
    space = "{data.split.policy: [grouped, stratified]}"

    assert warned_of(load, f"  joint: {{space: {space}, sampler: random, trials: 2}}") == [
        "stratified"
    ]


def test_each_policy_is_warned_of_once(load: Callable[..., LoadedStudy]) -> None:
    stages = (
        "{stage: split, vary: {data.split.policy: [random, stratified]}}, "
        "{stage: size, vary: {data.image_size: [32, 64]}, with: {data.split.policy: random}}"
    )

    assert warned_of(load, f"  tree: [{stages}]") == ["random", "stratified"]


def test_folds_that_only_a_stage_makes_are_told_from_a_cut_of_validation(
    load: Callable[..., LoadedStudy],
) -> None:
    random = ACTIONS.replace("policy: grouped", "policy: random")
    stage = "  tree: [{stage: folds, vary: {data.split.folds: [null, 5]}}]"
    whole, folded = warnings_of_splits(load(random + stage).spec)
    assert "is leaky: " in whole
    assert "is leaky for the test split: " in folded


def test_a_joint_search_that_sets_the_whole_split_is_warned_of(
    load: Callable[..., LoadedStudy],
) -> None:
    space = "{data.split: [{policy: grouped}, {policy: random}]}"
    assert warned_of(load, f"  joint: {{space: {space}, sampler: random, trials: 2}}") == [
        "random"
    ]


SPLITS = "{stage: split, vary: {data.split.policy: [grouped, given]}}"
SIZES = "{stage: size, vary: {data.image_size: [32, 64]}}"
HELD = SIZES.replace("}}", "}, with: {data.split.policy: grouped}}")


@pytest.mark.parametrize(
    ("stages", "is_warned"),
    [
        (f"{SPLITS}, {SIZES}", True),
        (f"{SPLITS}, {HELD}, {SIZES.replace('stage: size', 'stage: again')}", True),
        (f"{SPLITS}, {HELD}", False),
        (f"{SIZES}, {SPLITS}", False),
        (SPLITS, False),
    ],
)
def test_a_stage_that_hands_its_split_down_is_warned_of(
    stages: str, is_warned: bool, load: Callable[..., LoadedStudy]
) -> None:
    found = warnings_of_splits(load(f"{ACTIONS}  tree: [{stages}]").spec)
    assert len(found) == is_warned
    if found:
        assert found[0].startswith("stage 'split' varies data.split.policy: each of its")
        assert (
            "make it the last stage that trains, or hold data.split.policy by `with`" in found[0]
        )
