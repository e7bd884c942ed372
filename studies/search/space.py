"""From a stage's lists and ranges to Optuna's parameters, and back to settings."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from studies.spec.search_schema import Range
from studies.tree.stages import Stage

Scalar: TypeAlias = bool | int | float | str | None


class Space:
    """What a stage varies, as Optuna knows it."""

    def __init__(self, stage: Stage) -> None:
        self._lists = stage.lists
        self._distributions: dict[str, BaseDistribution] = {
            **{path: _categorical(values) for path, values in stage.lists.items()},
            **{path: _distribution(each) for path, each in stage.ranges.items()},
        }

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Have a trial's sampler propose settings: dotted path -> value."""
        for path, distribution in self._distributions.items():
            _suggest(trial, path, distribution)
        return self.settings(trial.params)

    def params(self, varied: Mapping[str, Any]) -> dict[str, Scalar]:
        """Return settings as Optuna's parameters."""
        return {path: _encode(value) for path, value in varied.items()}

    def distributions(self, varied: Mapping[str, Any]) -> dict[str, BaseDistribution]:
        """Return the distributions that settings were proposed from."""
        return {path: self._distributions[path] for path in varied}

    def is_whole(self, distributions: Mapping[str, BaseDistribution]) -> bool:
        """Whether a trial was proposed from this space, and to its end."""
        return distributions == self._distributions

    def settings(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return Optuna's parameters as settings; the inverse of `params`."""
        return {path: self._value(path, params[path]) for path in self._distributions}

    def _value(self, path: str, param: Scalar) -> Any:  # noqa: ANN401  # a setting's value
        if path not in self._lists:
            return param
        return next(each for each in self._lists[path] if _encode(each) == param)


def _suggest(trial: optuna.Trial, path: str, given: BaseDistribution) -> None:
    if isinstance(given, CategoricalDistribution):
        trial.suggest_categorical(path, given.choices)
    elif isinstance(given, IntDistribution):
        trial.suggest_int(path, given.low, given.high, step=given.step, log=given.log)
    elif isinstance(given, FloatDistribution):
        trial.suggest_float(path, given.low, given.high, step=given.step, log=given.log)


def _encode(value: object) -> Scalar:
    """Optuna's choices are scalars; anything else goes as JSON."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value, sort_keys=True)


def _categorical(values: Sequence[Any]) -> CategoricalDistribution:
    return CategoricalDistribution([_encode(value) for value in values])


def _distribution(given: Range) -> BaseDistribution:
    if given.integer:
        step = int(given.step) if given.step else 1
        return IntDistribution(int(given.low), int(given.high), log=given.log, step=step)
    return FloatDistribution(given.low, given.high, log=given.log, step=given.step)
