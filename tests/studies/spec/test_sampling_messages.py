"""What is said of samplers, pruners, limits and starts that can do nothing in a search."""

from collections.abc import Callable

import pytest

from studies.spec.load import LoadedStudy

STUDY = """\
study: demo
task: semantic_segmentation
data: {dataset: none, classes: [person, car], image_size: 64}
model: {name: unet, base_channels: 8}
training: {epochs: 9}
objective: {metric: val/iou}
search:
  joint:
    space: SPACE
    sampler: SAMPLER
    RULE
"""
RANGES = (
    "{training.learning_rate: {low: 1e-4, high: 0.1, log: true}, "
    "training.weight_decay: {low: 0, high: 0.1}}"
)
LIST = "{training.batch_size: [1, 2]}"
BRANCHES = "{training.optimizer: {sgd: {training.momentum: {low: 0, high: 0.9}}, adam: {}}}"
JOINT = "search.joint"
CASES = [
    (RANGES, "tpe", "", "'trials' is required but missing: how many configurations tpe"),
    (LIST, "grid", "trials: 4", "'trials' has no effect on a grid, which is tried in full"),
    (
        "{training.learning_rate: {low: 1e-4, high: 0.1}}",
        "grid",
        "",
        "a grid needs a range with `step`, or a list",
    ),
    (LIST, "cmaes", "trials: 4", "'cmaes' proposes numbers of ranges, and 'training.batch_size'"),
    (BRANCHES, "gp", "trials: 4", "'gp' needs the same settings in every configuration"),
    (RANGES, "nsga2", "trials: 4", "'nsga2' searches between two objectives; add `second`"),
    (
        RANGES,
        "tpe",
        "trials: 4\n    second: {metric: macs, direction: minimize}",
        "a second objective needs `sampler: nsga2`, got tpe",
    ),
    (
        RANGES,
        "nsga2",
        "trials: 4\n    second: {metric: val/iou, direction: minimize}",
        "'val/iou' is the first objective already",
    ),
    (
        RANGES,
        "nsga2",
        "trials: 4\n    second: {metric: mac, direction: minimize}",
        "unknown metric 'mac'; did you mean 'macs'?",
    ),
    (
        RANGES,
        "nsga2",
        "trials: 4\n    second: {metric: macs, direction: minimize}\n"
        "    pruner: {name: hyperband}",
        "a pruner compares one objective, and there is a `second`",
    ),
    (
        RANGES,
        "tpe",
        "trials: 4\n    constraints: {memory_gbb: 8}",
        "unknown fact 'memory_gbb'; did you mean 'memory_gb'?",
    ),
    (
        RANGES,
        "tpe",
        "trials: 4\n    pruner: {name: wilcoxon}",
        "'wilcoxon' compares seeds, needs 4 of them for a p-value below 0.1 or as startup_seeds, "
        "and there is 1; raise search.replicates to 5",
    ),
    (
        "{training.batch_size: {low: 1, high: 4, step: 0.5, integer: true}}",
        "tpe",
        "trials: 4",
        "step must be a whole number where only whole ones are proposed, got 0.5",
    ),
    (
        "{training.batch_size: {low: 1.5, high: 4, integer: true}}",
        "tpe",
        "trials: 4",
        "low must be a whole number where only whole ones are proposed, got 1.5",
    ),
    (
        RANGES,
        "tpe",
        "trials: 4\n    pruner: {name: patience, epochs: 8}",
        "must be less than 8, as the last of 9 epochs is trained in any case, got 8",
    ),
    (
        RANGES,
        "tpe",
        "trials: 4\n    pruner: {name: hyperband, min_epochs: 9}",
        "must be less than the 9 epochs of a training, got 9",
    ),
    (
        RANGES,
        "tpe",
        "trials: 4\n    pruner: {name: median}",
        "must be less than the 4 configurations of the search, got 5",
    ),
    (
        RANGES,
        "tpe",
        "trials: 4\n    pruner: {name: hyperbnd}",
        "must be one of median, successive_halving, hyperband, wilcoxon, patience; got "
        "'hyperbnd'; did you mean 'hyperband'?",
    ),
    (
        LIST,
        "tpe",
        "trials: 4\n    warm_start: {values: [{training.batch_size: 3}]}",
        "'training.batch_size' must be one of 1, 2, got 3",
    ),
    (
        BRANCHES,
        "tpe",
        "trials: 4\n    warm_start: {values: [{training.optimizer: sgd}]}",
        "must set 'training.momentum', which varies",
    ),
    (
        BRANCHES,
        "tpe",
        "trials: 4\n    warm_start: {values: [{training.optimizer: adam, training.momentum: 0}]}",
        "'training.momentum' does not vary here",
    ),
    (LIST, "grid", "warm_start: {studies: [a]}", "'warm_start' has no effect on a grid"),
    (RANGES, "random", "trials: 4\n    parallel: 8", "'parallel' has no effect on 'random'"),
    (LIST, "grid", "parallel: 8", "'parallel' has no effect on 'grid'"),
    (LIST, "tpe", "trials: 4\n    warm_start: {}", "must name `values` or `studies`"),
    (
        "{training.batch_size: {small: {}, large: {}}}",
        "tpe",
        "trials: 4",
        "'training.batch_size' is not chosen by name",
    ),
    (
        "{training.optimizer: {sgd: {training.optimizer: [adam, sgd]}, adam: {}}}",
        "tpe",
        "trials: 4",
        "'training.optimizer' varies further out already; remove one",
    ),
    (
        "{training.optimizer: {sgd: {}, adam: {training.momentum: [0.9]}}}",
        "tpe",
        "trials: 4",
        "momentum has no effect with optimizer 'adam'; remove it or use 'sgd' or 'rmsprop'",
    ),
]


def text(space: str, sampler: str, rule: str) -> str:
    filled = STUDY.replace("SPACE", space).replace("SAMPLER", sampler)
    return filled.replace("    RULE\n", f"    {rule}\n" if rule else "")


@pytest.mark.parametrize(("space", "sampler", "rule", "message"), CASES)
def test_a_rule_that_can_do_nothing_is_refused(
    problems: Callable[..., list[str]], space: str, sampler: str, rule: str, message: str
) -> None:
    found = problems(text(space, sampler, rule))
    assert len(found) == 1, found
    line, column, said = found[0].split(":", 2)
    assert int(line) >= 8
    assert int(column) >= 3
    assert message in said


@pytest.mark.parametrize(
    ("space", "sampler", "rule"),
    [
        (BRANCHES, "tpe", "trials: 4\n    pruner: {name: hyperband}"),
        (RANGES, "cmaes", "trials: 9\n    constraints: {memory_gb: 8, latency_ms: 20}"),
        (RANGES, "nsga2", "trials: 9\n    second: {metric: macs, direction: minimize}"),
        (LIST, "grid", "pruner: {name: patience, epochs: 2}"),
        (
            BRANCHES,
            "random",
            "trials: 4\n    warm_start: {values: "
            "[{training.optimizer: sgd, training.momentum: 0.5}]}",
        ),
    ],
)
def test_a_search_that_is_in_order_is_read(
    load: Callable[..., LoadedStudy], space: str, sampler: str, rule: str
) -> None:
    joint = load(text(space, sampler, rule)).spec.search.joint
    assert joint is not None
    assert joint.sampler == sampler


def test_a_pruner_without_epochs_to_compare_is_refused(problems: Callable[..., list[str]]) -> None:
    rule = "trials: 9\n    pruner: {name: hyperband}"
    study = text(RANGES, "tpe", rule).replace("epochs: 9", "epochs: 1")
    assert problems(study) == [
        f"12:5: {JOINT}.pruner: 'hyperband' compares trainings epoch by epoch, and they have 1; "
        "raise training.epochs, or remove the pruner"
    ]


@pytest.mark.parametrize(("replicates", "is_enough"), [(4, False), (5, True)])
def test_seeds_must_suffice_for_the_p_value(
    load: Callable[..., LoadedStudy],
    problems: Callable[..., list[str]],
    replicates: int,
    is_enough: bool,
) -> None:
    study = text(RANGES, "tpe", "trials: 9\n    pruner: {name: wilcoxon}")
    study = study.replace("search:\n", f"search:\n  replicates: {replicates}\n")
    if is_enough:
        assert load(study).spec.search.replicates == replicates
    else:
        assert "and there are 4; raise search.replicates to 5" in problems(study)[0]


def test_a_pruner_counts_the_epochs_that_its_stage_holds(
    load: Callable[..., LoadedStudy], problems: Callable[..., list[str]]
) -> None:
    stage = (
        "  tree:\n    - stage: rate\n      with: {training.epochs: 2}\n"
        "      vary: {training.weight_decay: {low: 0, high: 0.1}}\n"
        "      sampler: tpe\n      trials: 4\n      pruner: {name: hyperband, min_epochs: 4}\n"
    )
    study = STUDY.partition("  joint:")[0] + stage
    assert "must be less than the 2 epochs of a training, got 4" in problems(study)[0]
    assert load(study.replace("training.epochs: 2", "training.epochs: 5")).spec.search.tree


def test_facts_of_a_network_are_refused_where_there_is_none(
    problems: Callable[..., list[str]],
) -> None:
    rule = "trials: 9\n    constraints: {parameters: 100}"
    study = text(RANGES, "tpe", rule).replace("unet, base_channels: 8", "noop")
    assert problems(study) == [
        f"12:19: {JOINT}.constraints.parameters: model 'noop' has no network to measure "
        "'parameters' of; remove it"
    ]
