"""One Optuna study per search of a stage, by ask and tell.

Trials are asked for and told in order, at most `PARALLEL_PROPOSALS` ahead of what was told, and
every ask has its own seed. So a sampler proposes the same configurations whichever worker
finishes first, and a study that was killed goes on as if it had not been.

A stage without ranges needs no proposals; its configurations are copied into Optuna, so that
optuna-dashboard and `optuna.visualization` show every stage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from studies.search.samplers import make_sampler
from studies.search.space import Space
from studies.tree.stages import Stage

PARALLEL_PROPOSALS = 4


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
        self._space = Space(stage)

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
            self._add(varied)
        self._ask(results)
        if self._stage.trials is None or len(self._trials()) == self._stage.trials:
            self._tell(results)
        return [
            self._space.settings(trial.params) for trial in self._trials()[len(configurations) :]
        ]

    def _ask(self, results: Sequence[ConfigurationResult | None]) -> None:
        """Ask for the proposals that may follow what was told."""
        if self._stage.sampler == "qmc" and len(self._trials()) < (self._stage.trials or 0):
            for varied in self._sequence()[len(self._trials()) :]:
                self._add(varied)
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
            self._study.sampler = make_sampler(
                self._stage.sampler or "tpe", search=self._name, number=number
            )
            self._space.suggest(self._study.ask())

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
        if any(not self._space.is_whole(trial.distributions) for trial in trials):
            return False
        for trial, varied, result in zip(trials, configurations, results, strict=False):
            if trial.params != self._space.params(varied):
                return False
            if trial.state.is_finished() and (result is None or trial.value != result.value):
                return False
        return True

    def _add(self, varied: Mapping[str, Any]) -> None:
        """Add a configuration that Optuna's sampler did not propose, in one transaction."""
        self._study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.RUNNING,
                params=self._space.params(varied),
                distributions=self._space.distributions(varied),
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

    def _sequence(self) -> list[dict[str, Any]]:
        """Return every proposal of a low-discrepancy sequence.

        It comes from a study in memory, since the place in the sequence is kept in the study:
        Optuna's copy may be built anew, or be cut short.
        """
        sampler = make_sampler("qmc", search=self._name, number=0)
        study = optuna.create_study(sampler=sampler)
        return [self._space.suggest(study.ask()) for _ in range(self._stage.trials or 0)]
