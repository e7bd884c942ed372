"""What a study may say of putting networks together, and where it is told what is wrong."""

from collections.abc import Callable

import pytest

from studies.spec.diff import classify_changes
from studies.spec.load import LoadedStudy

STUDY = """\
study: demo
task: semantic_segmentation
data: {dataset: street_scenes, classes: [bus, car], one_model_per_class: true, image_size: 64}
model: {name: unet, base_channels: 8}
objective: {metric: val/iou}
assembly: {single_network: true}
search: {tree: [{stage: rate, vary: {training.learning_rate: [1e-3, 1e-4]}}]}
"""
Load = Callable[..., LoadedStudy]
Heads = Callable[..., list[str]]


def test_an_assembly_of_class_networks_is_in_order(load: Load) -> None:
    settings = load(STUDY).spec.assembly
    assert settings is not None
    assert settings.single_network
    assert settings.thresholds is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "one_model_per_class: true, ",
            "",
            "6:1: assembly: 'assembly' puts networks of single classes together; "
            "set data.one_model_per_class: true, or remove it",
        ),
        (
            "[bus, car]",
            "[bus]",
            "6:1: assembly: 'assembly' needs at least two classes, got bus alone; remove it",
        ),
        (
            "classes: [bus, car], ",
            "",
            "3:53: data.one_model_per_class: needs the classes that get a model each; "
            "name them in data.classes",
        ),
        (
            "{name: unet, base_channels: 8}",
            "{name: noop}",
            "6:1: assembly: model 'noop' has no network to put together; remove 'assembly'",
        ),
        (
            "{single_network: true}",
            "{single_netwrk: true}",
            "6:12: assembly.single_netwrk: unknown key 'single_netwrk'; "
            "did you mean 'single_network'?",
        ),
        (
            "{single_network: true}",
            "{thresholds: [0.2, 1.5]}",
            "6:30: assembly.thresholds.1: must be at most 0.999, got 1.5",
        ),
        (
            "{single_network: true}",
            "{thresholds: [0.2, 0.0004]}",
            "6:30: assembly.thresholds.1: must be at least 0.001, got 0.0004",
        ),
        (
            "{single_network: true}",
            "{thresholds: [0.2, 0.2]}",
            "6:24: assembly.thresholds: must name 0.2 once; remove the second",
        ),
        (
            "{single_network: true}",
            "yes please",
            "6:11: assembly: must be a mapping of keys to values, got 'yes please'",
        ),
    ],
)
def test_a_mistake_is_named_where_it_stands(
    problems: Heads, old: str, new: str, message: str
) -> None:
    assert STUDY.count(old) == 1
    assert problems(STUDY.replace(old, new)) == [message]


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("{single_network: false}", "{single_network: true}", "extends"),
        ("{single_network: true}", "{single_network: false}", "neutral"),
        ("null", "{single_network: true}", "extends"),
        ("{single_network: true}", "null", "neutral"),
        ("{}", "{thresholds: [0.2]}", "neutral"),
    ],
)
def test_an_assembly_may_come_and_go_when_a_study_goes_on(
    load: Load, before: str, after: str, kind: str
) -> None:
    told = [load(STUDY.replace("{single_network: true}", each)) for each in (before, after)]
    changes = classify_changes(told[0].resolved, told[1].resolved)
    assert {change.kind for change in changes if change.new != change.old} == {kind}
