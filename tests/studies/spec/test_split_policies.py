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
training: {epochs: 1}
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
