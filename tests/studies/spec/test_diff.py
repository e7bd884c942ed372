"""Which changes a relaunched study may have."""

from collections.abc import Callable

import pytest

from studies.spec.diff import Change, classify_changes, is_refused, render_changes
from studies.spec.load import LoadedStudy

Load = Callable[..., LoadedStudy]

STUDY = """\
study: demo
task: semantic_segmentation
data: {dataset: none, classes: [person, car], image_size: 64, one_model_per_class: true}
model: {name: unet}
training: {epochs: 2}
objective: {metric: val/iou}
budget: {per_trial: {time: 90m}, study: {gpu_hours: 2}}
search:
  replicates: 2
  tree:
    - stage: learning rate
      vary: {training.learning_rate: [1e-3, 1e-4]}
      only: {data.classes: [car]}
    - stage: decay
      vary: {training.weight_decay: {low: 1e-4, high: 1e-2, log: true}, training.batch_size: [4]}
      sampler: tpe
      trials: 5
"""
JOINT = """\
  joint:
    space: {training.learning_rate: {low: 1e-4, high: 1e-2}}
    trials: 5
"""

KINDS = [
    ("replicates: 2", "replicates: 3", "search.replicates", "extends"),
    ("replicates: 2", "replicates: 1", "search.replicates", "refused"),
    ("replicates: 2", "replicates: 2\n  base: true", "search.base", "extends"),
    ("epochs: 2", "epochs: 3", "training.epochs", "extends"),
    ("epochs: 2", "epochs: 1", "training.epochs", "refused"),
    ("epochs: 2", "epochs: 2, batch_size: 4", "training.batch_size", "refused"),
    ("epochs: 2", "epochs: 2, checkpoint_epochs: 4", "training.checkpoint_epochs", "neutral"),
    ("val/iou", "val/dice", "objective.metric", "refused"),
    ("image_size: 64", "image_size: 96", "data.image_size", "refused"),
    ("[person, car]", "[person, car, bus]", "data.classes", "refused"),
    ("image_size: 64", "image_size: 64, limit: {train: 9}", "data.limit.train", "refused"),
    ("image_size: 64", "image_size: 64, split: {seed: 1}", "data.split.seed", "refused"),
    ("image_size: 64", "image_size: 64, workers: 2", "data.workers", "neutral"),
    ("name: unet", "name: unet, depth: 3", "model.depth", "refused"),
    ("gpu_hours: 2", "gpu_hours: 3", "budget.study.gpu_hours", "extends"),
    ("gpu_hours: 2", "gpu_hours: null", "budget.study.gpu_hours", "extends"),
    ("gpu_hours: 2", "gpu_hours: 1", "budget.study.gpu_hours", "neutral"),
    ("90m", "2h", "budget.per_trial.time", "refused"),
    ("90m", "3600s", "budget.per_trial.time", "refused"),
    ("time: 90m", "time: 90m, steps: 9", "budget.per_trial.steps", "refused"),
    ("time: 90m", "time: 90m, silence: 9m", "budget.per_trial.silence", "neutral"),
    ("gpu_hours: 2}", "gpu_hours: 2}, provider: Modal", "budget.provider", "neutral"),
    ("trials: 5", "trials: 5\n      parallel: 8", "search.tree.decay.parallel", "neutral"),
    ("search:", "description: new\nsearch:", "description", "neutral"),
    ("search:", "weights: all\nsearch:", "weights", "neutral"),
    ("search:", "baselines: [unet-2015]\nsearch:", "baselines", "neutral"),
    ("  tree:", "  select: {ties: best_mean}\n  tree:", "search.select.ties", "refused"),
    ("  tree:", "  select: {beam: 2}\n  tree:", "search.select.beam", "extends"),
    (
        "[1e-3, 1e-4]",
        "[1e-3, 1e-4, 1e-5]",
        "search.tree.learning rate.vary.training.learning_rate",
        "extends",
    ),
    (
        "[1e-3, 1e-4]",
        "[1e-4, 1e-3]",
        "search.tree.learning rate.vary.training.learning_rate",
        "neutral",
    ),
    (
        "[1e-3, 1e-4]",
        "[1e-3, 1e-5]",
        "search.tree.learning rate.vary.training.learning_rate",
        "refused",
    ),
    (
        "[1e-3, 1e-4]}",
        "[1e-3, 1e-4], training.batch_size: [2]}",
        "search.tree.learning rate.vary.training.batch_size",
        "refused",
    ),
    ("{data.classes: [car]}", "{}", "search.tree.learning rate.only.data.classes", "extends"),
    ("[car]}", "[car, person]}", "search.tree.learning rate.only.data.classes", "extends"),
    ("[car]}", "[person]}", "search.tree.learning rate.only.data.classes", "refused"),
    (
        "[car]}",
        "[car]}\n      with: {training.batch_size: 2}",
        "search.tree.learning rate.with",
        "refused",
    ),
    ("high: 1e-2", "high: 1e-1", "search.tree.decay.vary.training.weight_decay", "extends"),
    ("high: 1e-2", "high: 1e-3", "search.tree.decay.vary.training.weight_decay", "refused"),
    (", log: true", "", "search.tree.decay.vary.training.weight_decay", "refused"),
    ("[4]", "[4, 8]", "search.tree.decay.vary.training.batch_size", "refused"),
    ("trials: 5", "trials: 6", "search.tree.decay.trials", "extends"),
    ("trials: 5", "trials: 4", "search.tree.decay.trials", "refused"),
    ("sampler: tpe", "sampler: random", "search.tree.decay.sampler", "refused"),
    ("stage: decay", "stage: weight decay", "search.tree.1", "refused"),
]


@pytest.mark.parametrize(("old", "new", "path", "kind"), KINDS)
def test_a_change_is_of_its_kind(load: Load, old: str, new: str, path: str, kind: str) -> None:
    assert STUDY.count(old) == 1
    before, after = load(STUDY).resolved, load(STUDY.replace(old, new)).resolved

    changes = classify_changes(before, after)

    assert [(change.path, change.kind) for change in changes] == [(path, kind)]
    assert is_refused(changes) == (kind == "refused")


def test_the_same_study_has_no_changes(load: Load) -> None:
    assert (
        classify_changes(load(STUDY).resolved, load(STUDY.replace("1e-3", "0.001")).resolved) == []
    )


def test_a_stage_at_the_end_extends_and_its_removal_is_refused(load: Load) -> None:
    longer = load(STUDY + "    - {stage: loss, vary: {training.loss: [bce]}}\n").resolved
    shorter = load(STUDY).resolved

    assert classify_changes(shorter, longer) == [Change("search.tree.2", None, "loss", "extends")]
    assert classify_changes(longer, shorter) == [Change("search.tree.2", "loss", None, "refused")]


def test_a_stage_in_between_is_refused_once(load: Load) -> None:
    stage = "tree:\n    - {stage: loss, vary: {training.loss: [bce]}}"
    changes = classify_changes(load(STUDY).resolved, load(STUDY.replace("tree:", stage)).resolved)

    assert changes == [Change("search.tree.0", "learning rate", "loss", "refused")]


def test_a_joint_search_may_get_more_trials_and_a_wider_range(load: Load) -> None:
    text = STUDY.partition("  tree:\n")[0] + JOINT
    wider = text.replace("trials: 5", "trials: 6").replace("high: 1e-2", "high: 1e-1")
    changes = classify_changes(load(text).resolved, load(wider).resolved)

    assert [(change.path, change.kind) for change in changes] == [
        ("search.joint.space.training.learning_rate", "extends"),
        ("search.joint.trials", "extends"),
    ]


def test_a_search_like_a_tree_keeps_its_stages(load: Load) -> None:
    like = STUDY.replace("  tree:", "  joint: {like: tree, sampler: tpe}\n  tree:")
    longer = like + "    - {stage: loss, vary: {training.loss: [bce]}}\n"

    assert classify_changes(load(like).resolved, load(longer).resolved) == [
        Change("search.tree.2", None, "loss", "refused")
    ]


def test_other_branches_are_refused(load: Load) -> None:
    branches = "{training.optimizer: {sgd: {training.momentum: {low: 0, high: 0.9}}, adam: {}}}"
    before = STUDY.partition("  tree:\n")[0] + JOINT.replace(
        "{training.learning_rate: {low: 1e-4, high: 1e-2}}", branches
    )
    changes = classify_changes(
        load(before).resolved, load(before.replace("high: 0.9", "high: 0.95")).resolved
    )

    assert [(change.path, change.kind) for change in changes] == [
        ("search.joint.space.training.optimizer", "refused")
    ]


def test_a_tree_cannot_become_a_joint_search(load: Load) -> None:
    joint = load(STUDY.partition("  tree:\n")[0] + JOINT).resolved

    assert classify_changes(load(STUDY).resolved, joint) == [
        Change("search", "tree", "joint", "refused")
    ]


def test_refused_changes_are_shown_with_the_way_out(load: Load) -> None:
    after = load(STUDY.replace("val/iou", "val/dice").replace("replicates: 2", "replicates: 3"))

    assert render_changes(classify_changes(load(STUDY).resolved, after.resolved), "demo") == (
        "study 'demo' cannot be resumed: it was launched with other settings, "
        "and their results cannot stand side by side\n"
        '  refused  objective.metric   "val/iou" -> "val/dice"\n'
        "  extends  search.replicates  2 -> 3\n"
        "undo what is marked refused, or launch it as a study of its own with --as NEW_NAME; "
        "visionstudy fork lets that begin with what was measured alike"
    )


def test_accepted_changes_are_only_listed() -> None:
    changes = [
        Change("search.replicates", 2, 3, "extends"),
        Change("weights", "all", "none", "neutral"),
    ]

    assert render_changes(changes, "demo") == (
        '  extends  search.replicates  2 -> 3\n  neutral  weights            "all" -> "none"'
    )
    assert render_changes([], "demo") == ""
