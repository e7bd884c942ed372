"""What is said of a stage whose settings do not exist, or do not fit the base or each other."""

from collections.abc import Callable

import pytest

SWEEP = "training.learning_rate: [1e-3, 1e-4]"
AT = "search.tree.0"
NO_MOMENTUM = "momentum has no effect with optimizer 'adam'; remove it or use 'sgd' or 'rmsprop'"
NO_RANGE = "has no range to propose from: lists are tried in full; remove it"
ONE_MODEL = (
    "chooses among models of single classes; set data.one_model_per_class: true, or remove it"
)

OF_VARY = [
    (
        "training.learning_rte: [1]",
        f"10:14: {AT}.vary.training.learning_rte: unknown setting 'training.learning_rte'; "
        "did you mean 'training.learning_rate'?",
    ),
    (
        "learning_rate: [1]",
        f"10:14: {AT}.vary.learning_rate: unknown setting 'learning_rate'; "
        "did you mean 'training.learning_rate'?",
    ),
    (
        "evaluation.qqqqqqqqqqqqqq: [1]",
        f"10:14: {AT}.vary.evaluation.qqqqqqqqqqqqqq: unknown setting "
        "'evaluation.qqqqqqqqqqqqqq'; "
        "known: evaluation.threshold, evaluation.also",
    ),
    (
        "training.learning_rate: [1e-3, 0.001]",
        f"10:45: {AT}.vary.training.learning_rate.1: value 0.001 is there twice; remove one",
    ),
    (
        "training.batch_size: [4, 4.0]",
        f"10:39: {AT}.vary.training.batch_size.1: value 4 is there twice; remove one",
    ),
    (
        "training.learning_rate: [1e-3, -1]",
        f"10:45: {AT}.vary.training.learning_rate.1: must be greater than 0, got -1",
    ),
    (
        "training.optimizer: [adma]",
        f"10:35: {AT}.vary.training.optimizer.0: must be one of adam, adamw, sgd, rmsprop; "
        "got 'adma'; did you mean 'adam'?",
    ),
    (
        "data.image_size: [64, 150]",
        f"10:36: {AT}.vary.data.image_size.1: image size of unet must be a multiple of 16 "
        "(4 poolings of 2), got 150; use 144 or 160",
    ),
    (
        "model.depth: [4, 7]",
        f"10:31: {AT}.vary.model.depth.1: image size of unet must be a multiple of 128 "
        "(7 poolings of 2), got 64; use 128",
    ),
    (
        "training.momentum: [0.9]",
        f"10:34: {AT}.vary.training.momentum.0: {NO_MOMENTUM}",
    ),
    (
        "training.optimizer: [adam, sgd], training.momentum: [null, 0.9]",
        f"10:13: {AT}.vary: training.optimizer 'adam', training.momentum 0.9 cannot be tried "
        f"together: {NO_MOMENTUM}",
    ),
    (
        "training.schedule: [{name: constant}, {name: step, every_epochs: 0}]",
        f"10:52: {AT}.vary.training.schedule.1: must be at least 1, got 0",
    ),
    (
        "model.name: [unet, noop]",
        f"10:14: {AT}.vary.model.name: set 'model' as a whole instead, "
        "e.g. model: [{name: …}, {name: …}]",
    ),
    (
        "data.workers: [0, 2]",
        f"10:14: {AT}.vary.data.workers: 'data.workers' has no effect on results, "
        "so there is nothing to compare; remove it",
    ),
    (
        "data.dataset: [coco]",
        f"10:14: {AT}.vary.data.dataset: 'data.dataset' is the same for a whole study; "
        "write one study for each value",
    ),
    (
        "training.learning_rate: {low: 1e-4, high: 1e-2}",
        f"10:14: {AT}.vary.training.learning_rate: a range needs `sampler` (who proposes "
        "values) and `trials` (how many) in its stage, e.g. sampler: tpe and trials: 20",
    ),
]
OF_OTHER_KEYS = [
    (
        "training.batch_size: {low: 1, high: 8}",
        "sampler: tpe\n      trials: 3",
        f"10:14: {AT}.vary.training.batch_size: 'training.batch_size' takes whole numbers; "
        "add `integer: true`",
    ),
    (
        "data.image_size: {low: 64, high: 96, integer: true, step: 8}",
        "sampler: tpe\n      trials: 3",
        f"10:14: {AT}.vary.data.image_size: image size of unet must be a multiple of 16 "
        "(4 poolings of 2), got 72; use 64 or 80; set `low` and `step` to suit",
    ),
    (SWEEP, "sampler: tpe", f"11:7: {AT}.sampler: 'sampler' {NO_RANGE}"),
    (SWEEP, "trials: 3", f"11:7: {AT}.trials: 'trials' {NO_RANGE}"),
    (
        SWEEP,
        "after_training: true",
        f"10:14: {AT}.vary.training.learning_rate: 'training.learning_rate' needs training, "
        "and an after_training stage only scores again; set evaluation settings, "
        "or remove after_training",
    ),
    (SWEEP, "only: {data.classes: [car]}", f"11:7: {AT}.only: 'only' {ONE_MODEL}"),
    (SWEEP, "per: data.classes", f"11:7: {AT}.per: 'per' {ONE_MODEL}"),
    (
        SWEEP,
        "with: {training.learning_rate: 1}",
        f"11:14: {AT}.with.training.learning_rate: 'training.learning_rate' is held by "
        "`with` and varied as well; remove one",
    ),
    (
        SWEEP,
        "with: {training.batch_size: 0}",
        f"11:35: {AT}.with.training.batch_size: must be at least 1, got 0",
    ),
    (
        SWEEP,
        "with: {training.bach_size: 1}",
        f"11:14: {AT}.with.training.bach_size: unknown setting 'training.bach_size'; "
        "did you mean 'training.batch_size'?",
    ),
]


@pytest.mark.parametrize(("vary", "message"), OF_VARY)
def test_a_setting_that_cannot_be_tried_is_named(
    problems_after: Callable[[str, str], list[str]], vary: str, message: str
) -> None:
    assert problems_after(SWEEP, vary) == [message]


@pytest.mark.parametrize(("vary", "other", "message"), OF_OTHER_KEYS)
def test_a_key_that_does_not_fit_its_stage_is_named(
    problems_after: Callable[[str, str], list[str]], vary: str, other: str, message: str
) -> None:
    stage = f"vary: {{{vary}}}\n      {other}\n"
    assert problems_after(f"vary: {{{SWEEP}}}\n", stage) == [message]


def test_stages_must_have_names_of_their_own(
    problems_after: Callable[[str, str], list[str]],
) -> None:
    again = "vary: {training.batch_size: [1]}\n    - stage: learning rate\n      vary: {"
    assert problems_after("vary: {", again) == [
        "11:14: search.tree.1.stage: stage 'learning rate' is already the name of stage 0; "
        "rename one"
    ]


def test_a_choice_that_breaks_a_stage_below_is_found(
    problems: Callable[[str], list[str]], study_text: str
) -> None:
    tree = """
    - {stage: optimizer, vary: {training.optimizer: [sgd, adam]}}
    - {stage: momentum, vary: {training.momentum: [null, 0.9]}}
"""
    text = study_text.replace("epochs: 2", "optimizer: sgd").partition("  tree:\n")[0]

    assert problems(text + "  tree:" + tree) == [
        "10:25: search.tree.1.vary: when stage 'optimizer' has chosen training.optimizer 'adam', "
        f"training.momentum 0.9 cannot be tried: {NO_MOMENTUM}"
    ]


def test_what_a_stage_holds_makes_its_values_valid(
    load: Callable[[str], object], study_text: str
) -> None:
    load(study_text + "      with: {training.optimizer: sgd, training.momentum: 0.9}\n")


def test_a_combination_is_valid_where_a_single_value_is_not(
    load: Callable[[str], object], study_text: str
) -> None:
    load(study_text.replace(SWEEP, "training.optimizer: [sgd], training.momentum: [0.5, 0.9]"))


def test_a_threshold_without_effect_is_refused(
    problems: Callable[[str], list[str]], study_text: str
) -> None:
    text = study_text.replace("epochs: 2", "loss: cross_entropy")
    assert problems(text.replace(SWEEP, "evaluation.threshold: [0.5]")) == [
        f"10:37: {AT}.vary.evaluation.threshold.0: a threshold has no effect with loss "
        "'cross_entropy', where the most probable class wins; remove it, or use loss 'bce'"
    ]


@pytest.mark.parametrize(
    ("values", "where", "message"),
    [
        ("[0.5, 0.0004]", "10:42", ".1: must be at least 0.001, got 0.0004"),
        ("[0.9995]", "10:37", ".0: must be at most 0.999, got 0.9995"),
        ("{low: 0.0001, high: 0.5}", "10:42", ".low: must be at least 0.001, got 0.0001"),
    ],
)
def test_a_threshold_that_counts_as_everything_or_nothing_is_refused(
    problems: Callable[[str], list[str]], study_text: str, values: str, where: str, message: str
) -> None:
    text = study_text.replace(SWEEP, f"evaluation.threshold: {values}")
    assert f"{where}: {AT}.vary.evaluation.threshold{message}" in problems(text)


@pytest.mark.parametrize(
    ("only", "message"),
    [
        (
            "{data.classes: [cra]}",
            "11:29: {}.data.classes.0: class 'cra' is not in data.classes; did you mean 'car'?",
        ),
        (
            "{data.classes: [car, car]}",
            "11:34: {}.data.classes.1: class 'car' is there twice; remove one",
        ),
        (
            "{data.classes: []}",
            "11:28: {}.data.classes: 'only' must name at least one class; "
            "remove it for all classes",
        ),
        (
            "{training.epochs: [1]}",
            "11:14: {}.training.epochs: 'only' restricts data.classes and "
            "nothing else, got 'training.epochs'; to hold a setting in this stage use `with`",
        ),
    ],
)
def test_only_names_classes_of_the_study(
    problems: Callable[[str], list[str]], study_text: str, only: str, message: str
) -> None:
    text = study_text.replace("image_size: 64", "one_model_per_class: true")

    assert problems(f"{text}      only: {only}\n") == [message.format(f"{AT}.only")]


def test_a_beam_with_winners_per_class_is_refused(
    problems: Callable[[str], list[str]], study_text: str
) -> None:
    text = study_text.replace("image_size: 64", "one_model_per_class: true")

    assert problems(f"{text}      per: data.classes\n      beam: 2\n") == [
        f"12:7: {AT}.beam: beam 2 has no effect with `per`: each class keeps its one winner; "
        "remove one of the two"
    ]


def test_a_joint_search_is_checked_like_a_stage(
    problems: Callable[[str], list[str]], study_text: str
) -> None:
    text = study_text.partition("  tree:\n")[0]
    joint = "  joint: {space: {training.epohcs: [1], training.batch_size: [0]}, trials: 2}\n"

    assert problems(text + joint) == [
        "8:19: search.joint.space.training.epohcs: unknown setting 'training.epohcs'; "
        "did you mean 'training.epochs'?",
        "8:63: search.joint.space.training.batch_size.0: must be at least 1, got 0",
    ]
