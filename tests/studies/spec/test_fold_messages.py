"""What a cross-validated study may not ask for, and where it is told so."""

from collections.abc import Callable

import pytest

from studies.spec.diff import classify_changes
from studies.spec.load import LoadedStudy

STUDY = """\
study: demo
task: semantic_segmentation
data: {dataset: street_scenes, image_size: 64, folds: 5}
model: {name: unet, base_channels: 8}
objective: {metric: val/iou}
search: {tree: [{stage: rate, vary: {training.learning_rate: [1e-3, 1e-4]}}]}
"""
Load = Callable[..., LoadedStudy]
Heads = Callable[..., list[str]]
PER_CLASS = (
    "classes: [bus, car], one_model_per_class: true, image_size: 64, folds: 5}\nassembly: {}"
)
JOINT = (
    "search: {replicates: SEEDS, joint: {space: {training.learning_rate: {low: 1e-4, high: 0.1}}, "
    "sampler: tpe, trials: 4, pruner: {name: wilcoxon}}}"
)


def test_folds_are_cut_as_the_data_are(load: Load) -> None:
    data = load(STUDY).spec.data
    assert (data.folds, data.split.folds, data.split.fold) == (5, 5, 0)


@pytest.mark.parametrize("written", ["5.0", "'5'"])
def test_a_number_of_folds_may_be_written_in_other_ways(written: str, load: Load) -> None:
    data = load(STUDY.replace("folds: 5", f"folds: {written}")).spec.data
    assert (data.folds, data.split.folds) == (5, 5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "folds: 5",
            "folds: 1",
            "3:55: data.folds: must be at least 2, got 1",
        ),
        (
            "folds: 5",
            "folds: 5, split: {folds: 3}",
            "3:1: data: folds: 5 asks for a cell per fold, and split.folds: 3 for one cut into "
            "other folds; remove split.folds",
        ),
        (
            "search: {",
            "search: {select: {interval: images}, ",
            "6:29: search.select.interval: intervals over images compare networks on the same "
            "images, and with data.folds: 5 each fold is validated on others; choose seeds, "
            "which then means other folds and seeds",
        ),
        (
            "{metric: val/iou}",
            "{metric: test/iou, select_on: test}",
            "5:42: objective.select_on: data.folds: 5 validates on every fold in turn, and "
            "select_on: test chooses by the one test split; choose validation, or remove "
            "data.folds",
        ),
        (
            "image_size: 64, folds: 5}",
            PER_CLASS,
            "4:1: assembly: 'assembly' puts networks together that learnt from the same images, "
            "and with data.folds: 5 there is one of each class per fold; remove it, or "
            "data.folds",
        ),
        (
            "training.learning_rate: [1e-3, 1e-4]",
            "data.folds: [3, 5]",
            "6:38: search.tree.0.vary.data.folds: 'data.folds' is the same for a whole "
            "study; write one study for each value",
        ),
    ],
)
def test_what_folds_make_senseless_is_refused(
    problems: Heads, old: str, new: str, message: str
) -> None:
    assert problems(STUDY.replace(old, new)) == [message]


def test_a_stage_may_not_choose_a_fold(problems: Heads) -> None:
    text = STUDY.replace("training.learning_rate: [1e-3, 1e-4]", "data.split.fold: [0, 1]")
    [problem] = problems(text)
    assert "split.fold: 1 for one of them; remove one of the two" in problem


def test_folds_are_replicates_that_wilcoxon_compares(load: Load, problems: Heads) -> None:
    joint = STUDY[: STUDY.index("search:")] + JOINT
    assert load(joint.replace("SEEDS", "1")).spec.search.replicates == 1
    [problem] = problems(joint.replace("SEEDS", "1").replace("folds: 5", "folds: 2"))
    assert "there is 1 x 2 folds; raise search.replicates to 3 or more" in problem
    assert load(joint.replace("SEEDS", "3").replace("folds: 5", "folds: 2"))


def test_a_study_that_ran_cannot_change_its_folds(load: Load) -> None:
    before = load(STUDY).resolved
    for text in ("folds: 4", "split: {}"):
        changes = classify_changes(before, load(STUDY.replace("folds: 5", text)).resolved)
        assert {each.path: each.kind for each in changes}["data.folds"] == "refused"


def test_a_study_of_before_there_were_folds_goes_on(load: Load) -> None:
    now = load(STUDY.replace(", folds: 5", "")).resolved
    before = {**now, "data": {key: v for key, v in now["data"].items() if key != "folds"}}
    assert classify_changes(before, now) == []
