"""One Optuna study per search of a stage, by ask and tell.

Trials are asked for and told in order, at most `PARALLEL_PROPOSALS` ahead of what was told, and
every ask has its own seed. So a sampler proposes the same configurations whichever worker
finishes first, and a study that was killed goes on as if it had not been.

A stage without ranges needs no proposals; its configurations are copied into Optuna, so that
optuna-dashboard and `optuna.visualization` show every stage.
"""

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from studies.spec.schema import Range
from studies.tree.stages import Stage

PARALLEL_PROPOSALS = 4
Scalar = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class ConfigurationResult:
    """What Optuna is told of one configuration."""

    value: float | None  # mean objective over replicates; None: no complete cell
    is_infeasible: bool
    attributes: Mapping[str, Any]  # shown in the dashboard: values per seed, cells


class StageSearch:
    """A stage's Optuna study."""

    def __init__(
        self, storage: optuna.storages.BaseStorage, name: str, stage: Stage, *, maximize: bool
    ) -> None:
        self._storage = storage
        self._stage = stage
        self._name = name
        self._direction = StudyDirection.MAXIMIZE if maximize else StudyDirection.MINIMIZE
        self._study = self._open()
        self._distributions = {
            **{path: _categorical(values) for path, values in stage.lists.items()},
            **{path: _distribution(each) for path, each in stage.ranges.items()},
        }

    def advance(
        self,
        configurations: Sequence[Mapping[str, Any]],
        results: Sequence[ConfigurationResult | None],
    ) -> list[dict[str, Any]]:
        """Tell what became of configurations, and ask for those that may follow now.

        The ledger's configurations are the truth. Where Optuna holds something else (a list grew,
        an earlier winner changed, an ask was cut short), its study is built anew from them.

        Returns:
            New proposals, and those a crash kept from being written down, in order.
        """
        if not self._agrees(configurations, results):
            optuna.delete_study(study_name=self._name, storage=self._storage)
            self._study = self._open()
        for varied in configurations[len(self._trials()) :]:
            self._add({path: _encode(value) for path, value in varied.items()})
        self._ask(results)
        if self._stage.trials is None or len(self._trials()) == self._stage.trials:
            self._tell(results)
        return [self._decode(trial.params) for trial in self._trials()[len(configurations) :]]

    def _ask(self, results: Sequence[ConfigurationResult | None]) -> None:
        """Ask for the proposals that may follow what was told."""
        if self._stage.sampler == "qmc" and len(self._trials()) < (self._stage.trials or 0):
            for params in self._sequence()[len(self._trials()) :]:
                self._add(params)
            return
        prefix = next(
            (number for number, result in enumerate(results) if result is None), len(results)
        )
        while (number := len(self._trials())) < (self._stage.trials or 0):
            is_random = self._stage.sampler == "random"  # results do not matter
            told = 0 if is_random else number - PARALLEL_PROPOSALS + 1
            if prefix < told:
                break
            self._tell(results[: max(0, told)])
            self._study.sampler = self._sampler(number)
            self._study.ask(fixed_distributions=self._distributions)

    def _open(self) -> optuna.Study:
        return optuna.create_study(
            study_name=self._name,
            storage=self._storage,
            direction=self._direction,
            load_if_exists=True,
        )

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _agrees(
        self,
        configurations: Sequence[Mapping[str, Any]],
        results: Sequence[ConfigurationResult | None],
    ) -> bool:
        trials = self._trials()
        if self._study.direction != self._direction:
            return False
        if len(trials) > (self._stage.trials or len(configurations)):
            return False
        if any(trial.distributions != self._distributions for trial in trials):
            return False
        for trial, varied, result in zip(trials, configurations, results, strict=False):
            if trial.params != {path: _encode(value) for path, value in varied.items()}:
                return False
            if trial.state.is_finished() and (result is None or trial.value != result.value):
                return False
        return True

    def _add(self, params: Mapping[str, Any]) -> None:
        """Add a configuration that Optuna's sampler did not propose, in one transaction."""
        self._study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.RUNNING, params=dict(params), distributions=self._distributions
            )
        )

    def _tell(self, results: Sequence[ConfigurationResult | None]) -> None:
        for frozen, result in zip(self._trials(), results, strict=False):
            if result is not None and not frozen.state.is_finished():
                self._tell_one(frozen, result)

    def _tell_one(self, frozen: FrozenTrial, result: ConfigurationResult) -> None:
        trial = optuna.trial.Trial(self._study, frozen._trial_id)
        for key, value in result.attributes.items():
            trial.set_user_attr(key, value)
        if result.value is not None:
            self._study.tell(trial, result.value)
            return
        if result.is_infeasible:
            if "infeasible" not in frozen.constraints:  # it is, if killed before the line below
                trial.set_constraint("infeasible", 1.0)
            self._study.tell(trial, state=TrialState.PRUNED)
            return
        self._study.tell(trial, state=TrialState.FAIL)

    def _decode(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Turn Optuna's parameters back into settings."""
        varied: dict[str, Any] = {}
        for path in (*self._stage.lists, *self._stage.ranges):
            value = params[path]
            if path in self._stage.lists:
                varied[path] = next(
                    each for each in self._stage.lists[path] if _encode(each) == value
                )
            else:
                varied[path] = value
        return varied

    def _sequence(self) -> list[dict[str, Any]]:
        """Return every proposal of a low-discrepancy sequence.

        It comes from a study in memory, since the place in the sequence is kept in the study:
        Optuna's copy may be built anew, or be cut short.
        """
        with _unannounced():
            sampler = optuna.samplers.QMCSampler(
                scramble=True, seed=_seed(self._name, 0), warn_independent_sampling=False
            )
        study = optuna.create_study(sampler=sampler)
        return [
            study.ask(fixed_distributions=self._distributions).params
            for _ in range(self._stage.trials or 0)
        ]

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        seed = _seed(self._name, number)
        with _unannounced():
            if self._stage.sampler == "random":
                return optuna.samplers.RandomSampler(seed=seed)
            if self._stage.sampler == "gp":
                return optuna.samplers.GPSampler(seed=seed)
            return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)


@contextmanager
def _unannounced() -> Iterator[None]:
    """Keep quiet about samplers that Optuna calls experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _seed(name: str, number: int) -> int:
    digest = hashlib.sha256(f"{name}:{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


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
