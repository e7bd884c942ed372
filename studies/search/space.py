"""From what a stage varies to Optuna's parameters, and back to settings.

A setting that varies only with some choice is a parameter of its own for each such choice, named
after it: `training.momentum [training.optimizer=sgd]`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from studies.spec.search_schema import Range, Varied, Vary
from studies.tree.stages import Stage

Scalar: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class _Parameter:
    """A setting under the choices that it varies with."""

    name: str  # Optuna's
    path: str  # dotted setting
    distribution: BaseDistribution
    values: Sequence[Any] | None  # of a list
    below: Mapping[Any, Sequence["_Parameter"]] = field(default_factory=dict)  # by choice


class Space:
    """What a stage varies, as Optuna knows it."""

    def __init__(self, stage: Stage) -> None:
        self._top = _parameters({**_lists(stage), **stage.ranges, **stage.branches}, "")
        self.is_conditional = bool(stage.branches)

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Have a trial's sampler propose settings: dotted path -> value."""
        return dict(_suggest(trial, self._top))

    def params(self, varied: Mapping[str, Any]) -> dict[str, Scalar]:
        """Return settings as Optuna's parameters."""
        return {each.name: _encode(varied[each.path]) for each in self._active(varied)}

    def distributions(self, varied: Mapping[str, Any]) -> dict[str, BaseDistribution]:
        """Return the distributions that settings were proposed from."""
        return {each.name: each.distribution for each in self._active(varied)}

    def holds(self, varied: Mapping[str, Any]) -> bool:
        """Whether settings are a whole point of this space, inside its lists and ranges."""
        try:
            active = list(self._active(varied))
        except KeyError:
            return False
        return {each.path for each in active} == varied.keys() and all(
            _contains(each, varied[each.path]) for each in active
        )

    def point(self, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the part of some settings that this space varies; None: they lie outside.

        Args:
            settings: Dotted path -> value; may hold more.
        """
        try:
            active = list(self._active(settings))
        except KeyError:
            return None
        varied = {each.path: settings[each.path] for each in active}
        return varied if self.holds(varied) else None

    def is_whole(self, distributions: Mapping[str, BaseDistribution]) -> bool:
        """Whether a trial was proposed from this space, and to its end."""
        if not self.is_conditional:
            return distributions == {each.name: each.distribution for each in self._top}
        known = dict(_all_distributions(self._top))
        return all(known.get(name) == each for name, each in distributions.items())

    def settings(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return Optuna's parameters as settings; the inverse of `params`."""
        return dict(_settings(params, self._top))

    def _active(self, varied: Mapping[str, Any]) -> Iterator[_Parameter]:
        yield from _active(varied, self._top)


def _lists(stage: Stage) -> dict[str, list[Any]]:
    return {path: list(values) for path, values in stage.lists.items()}


def _parameters(space: Vary, under: str) -> list[_Parameter]:
    return [_parameter(path, values, under) for path, values in space.items()]


def _parameter(path: str, values: Varied, under: str) -> _Parameter:
    name = f"{path} [{under}]" if under else path
    if isinstance(values, Range):
        return _Parameter(name, path, _distribution(values), None)
    choices = list(values)
    below: dict[Any, Sequence[_Parameter]] = {}
    if isinstance(values, dict):
        for choice, space in values.items():
            condition = f"{path}={choice}"
            below[choice] = _parameters(space, f"{under}, {condition}" if under else condition)
    distribution = CategoricalDistribution([_encode(value) for value in choices])
    return _Parameter(name, path, distribution, choices, below)


def _active(varied: Mapping[str, Any], parameters: Sequence[_Parameter]) -> Iterator[_Parameter]:
    """Yield the parameters that settings have, below each choice those of the choice."""
    for each in parameters:
        value = varied[each.path]
        yield each
        if each.below:
            yield from _active(varied, each.below[value])


def _suggest(trial: optuna.Trial, parameters: Sequence[_Parameter]) -> Iterator[tuple[str, Any]]:
    for each in parameters:
        value = _value(each, _ask(trial, each.name, each.distribution))
        yield each.path, value
        if each.below:
            yield from _suggest(trial, each.below[value])


def _settings(
    params: Mapping[str, Any], parameters: Sequence[_Parameter]
) -> Iterator[tuple[str, Any]]:
    for each in parameters:
        value = _value(each, params[each.name])
        yield each.path, value
        if each.below:
            yield from _settings(params, each.below[value])


def _all_distributions(
    parameters: Sequence[_Parameter],
) -> Iterator[tuple[str, BaseDistribution]]:
    for each in parameters:
        yield each.name, each.distribution
        for below in each.below.values():
            yield from _all_distributions(below)


def _ask(trial: optuna.Trial, name: str, given: BaseDistribution) -> Scalar:
    """Ask a trial for one parameter."""
    if isinstance(given, IntDistribution):
        return trial.suggest_int(name, given.low, given.high, step=given.step, log=given.log)
    if isinstance(given, FloatDistribution):
        return trial.suggest_float(name, given.low, given.high, step=given.step, log=given.log)
    if not isinstance(given, CategoricalDistribution):
        raise TypeError(f"parameter '{name}' must be a number or a choice, got {given}")
    choice: Scalar = trial.suggest_categorical(name, given.choices)
    return choice


def _value(parameter: _Parameter, param: Scalar) -> Any:  # noqa: ANN401  # a setting's value
    if parameter.values is None:
        given = parameter.distribution
        is_stepped = isinstance(given, FloatDistribution) and given.step is not None
        # As `Range.values` has it, else the same point would have two fingerprints.
        return round(param, 12) if is_stepped and isinstance(param, float) else param
    return next(each for each in parameter.values if _same(_encode(each), param))


def _same(first: Scalar, second: Scalar) -> bool:
    """Compare choices as Optuna does: true is not 1."""
    return first == second and isinstance(first, bool) == isinstance(second, bool)


def _contains(parameter: _Parameter, value: object) -> bool:
    param = _encode(value)
    given = parameter.distribution
    if isinstance(given, CategoricalDistribution):
        return any(_same(param, choice) for choice in given.choices)
    if not isinstance(param, int | float) or isinstance(param, bool):
        return False
    return given._contains(given.to_internal_repr(param))


def _encode(value: object) -> Scalar:
    """Optuna's choices are scalars; anything else goes as JSON."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value, sort_keys=True)


def _distribution(given: Range) -> BaseDistribution:
    if given.integer:
        step = int(given.step) if given.step else 1
        return IntDistribution(int(given.low), int(given.high), log=given.log, step=step)
    return FloatDistribution(given.low, given.high, log=given.log, step=given.step)
