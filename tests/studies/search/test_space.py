"""From what a search varies to Optuna's parameters and back, also below a choice."""

from typing import Any

import optuna
import pytest

from studies.search.samplers import make_sampler
from studies.search.space import Space
from studies.spec.search_schema import StageSpec
from studies.tree.stages import Stage

RATE, OPTIMIZER = "training.learning_rate", "training.optimizer"
MOMENTUM, NESTEROV, DECAY = "training.momentum", "training.nesterov", "training.weight_decay"
SPACE = {
    RATE: {"low": 1e-4, "high": 0.1, "log": True},
    OPTIMIZER: {
        "sgd": {MOMENTUM: {"low": 0.0, "high": 0.9}, NESTEROV: [True, False]},
        "adamw": {DECAY: [0.0, 0.01]},
        "adam": {},
    },
}
SGD = {RATE: 0.01, OPTIMIZER: "sgd", MOMENTUM: 0.5, NESTEROV: True}
ADAM = {RATE: 0.01, OPTIMIZER: "adam"}


def stage(vary: dict[str, Any], **fields: object) -> Stage:
    spec = StageSpec.model_validate({"stage": "all", "vary": vary, **fields})
    kinds = {list: {}, dict: {}, "range": {}}  # type: ignore[var-annotated]
    for path, values in spec.vary.items():
        kinds[type(values) if isinstance(values, list | dict) else "range"][path] = values
    return Stage(
        name="all",
        lists=kinds[list],
        ranges=kinds["range"],
        held={},
        groups=("",),
        decides_per_group=False,
        beam=1,
        after_training=False,
        sampler=spec.sampler,
        trials=spec.trials,
        is_restricted=False,
        branches=kinds[dict],
        rules=spec,
    )


@pytest.mark.parametrize("varied", [SGD, ADAM, {RATE: 0.1, OPTIMIZER: "adamw", DECAY: 0.0}])
def test_parameters_turn_back_into_the_settings(varied: dict[str, Any]) -> None:
    space = Space(stage(SPACE))
    assert space.settings(space.params(varied)) == varied
    assert space.params(varied).keys() == space.distributions(varied).keys()
    assert space.holds(varied)


def test_a_setting_below_a_choice_is_a_parameter_named_after_it() -> None:
    assert list(Space(stage(SPACE)).params(SGD)) == [
        RATE,
        OPTIMIZER,
        f"{MOMENTUM} [{OPTIMIZER}=sgd]",
        f"{NESTEROV} [{OPTIMIZER}=sgd]",
    ]


@pytest.mark.parametrize(
    "varied",
    [
        {RATE: 0.01},
        {**ADAM, MOMENTUM: 0.5},
        {**SGD, MOMENTUM: 0.95},
        {**SGD, NESTEROV: 1},
        {**ADAM, OPTIMIZER: "rmsprop"},
    ],
    ids=["part", "of another choice", "beyond", "1 is not true", "unknown choice"],
)
def test_what_is_no_point_of_the_space_is_not_held_by_it(varied: dict[str, Any]) -> None:
    assert not Space(stage(SPACE)).holds(varied)


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_every_choice_is_proposed_with_its_own_settings(sampler: str) -> None:
    space = Space(stage(SPACE))
    directions = ["maximize"] * (2 if sampler == "nsga2" else 1)
    study = optuna.create_study(directions=directions)  # type: ignore[arg-type]
    seen = set()
    for number in range(16):
        study.sampler = make_sampler(
            sampler, search="a", number=number, trials=16, is_conditional=True
        )
        trial = study.ask()
        varied = space.suggest(trial)
        assert space.holds(varied)
        seen.add(varied[OPTIMIZER])
        study.tell(trial, [varied[RATE]] * len(directions))
    assert seen == {"sgd", "adamw", "adam"}


def test_choices_nest() -> None:
    nested = {
        OPTIMIZER: {
            "sgd": {"training.loss": {"bce": {}, "focal": {"training.focal_gamma": [1, 2]}}},
            "adam": {},
        }
    }
    combinations = list(stage(nested).combinations())
    assert combinations == [
        {OPTIMIZER: "sgd", "training.loss": "bce"},
        {OPTIMIZER: "sgd", "training.loss": "focal", "training.focal_gamma": 1},
        {OPTIMIZER: "sgd", "training.loss": "focal", "training.focal_gamma": 2},
        {OPTIMIZER: "adam"},
    ]
    assert all(Space(stage(nested)).holds(each) for each in combinations)


def test_a_grid_goes_through_the_steps_of_a_range() -> None:
    vary = {"training.batch_size": {"low": 2, "high": 8, "step": 3, "integer": True}}
    tried = [each["training.batch_size"] for each in stage(vary).combinations()]
    assert tried == [2, 5, 8]
    fine = stage({RATE: {"low": 0.1, "high": 0.5, "step": 0.1}})
    assert [each[RATE] for each in fine.combinations()] == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_proposals_with_a_step_are_the_values_of_a_grid() -> None:
    tenths = stage({DECAY: {"low": 0.1, "high": 0.7, "step": 0.1}})
    study, proposed = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)), set()
    for _ in range(60):
        trial = study.ask()
        varied = Space(tenths).suggest(trial)
        assert Space(tenths).holds(varied)
        proposed.add(varied[DECAY])
        study.tell(trial, varied[DECAY])
    assert proposed <= {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}
    assert 0.3 in proposed
