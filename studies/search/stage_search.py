"""One search of a stage, by ask and tell, in a study of Optuna's that lives in memory.

Trials are asked for and told in order, at most `SearchRules.ahead` ahead of what was told, and
every ask has its own seed. So a sampler proposes the same configurations whichever worker
finishes first, and a study that was killed goes on as if it had not been: the ledger holds what
was proposed and measured, and the study is built from that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from studies.search.samplers import EVOLVING, FORESEEABLE, UNCONSTRAINED, make_sampler
from studies.search.space import Space
from studies.search.told import ConfigurationResult
from studies.search.watch import Watch
from studies.spec.schema import Direction
from studies.tree.equal_compute import WorkBudget
from studies.tree.stages import Stage


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration to try."""

    varied: Mapping[str, Any]
    source: str = ""  # who proposed it: "" the sampler, "thesis", "study NAME"


class StageSearch:
    """Proposes configurations of one branch (and group) of a stage."""

    def __init__(
        self,
        stage: Stage,
        name: str,
        *,
        maximize: bool,
        epochs: int,
        first: Sequence[Proposal] = (),
        known: Sequence[FrozenTrial] = (),
    ) -> None:
        """Open a search that holds nothing yet.

        Args:
            stage: What varies, and how.
            name: Of the search, unique in the study.
            maximize: Whether more of the first objective is better.
            epochs: Most that a configuration trains.
            first: What is proposed before the sampler is asked.
            known: What was measured elsewhere, for the sampler to know.
        """
        self.stage = stage
        self.name = name
        self.directions = _directions(stage, maximize)
        self._space = Space(stage)
        self._epochs = epochs
        self._first = first
        self._known = known
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every study
        self._watch = Watch(name, stage, maximize=maximize, epochs=epochs)
        self._varied: list[Mapping[str, Any]] = []
        self._ended: list[ConfigurationResult | None] = []
        self._prefix = 0  # so many of the first ended
        self._drawn: list[dict[str, Any]] = []  # of a sequence
        self._drawing: optuna.Study | None = None  # that draws it
        self._study = self._open()
        self._held = 0  # configurations in the sampler's study

    def hold(
        self,
        configurations: Sequence[Mapping[str, Any]],
        results: Sequence[ConfigurationResult | None],
    ) -> None:
        """Take in what the ledger holds, in order, before anything is asked.

        The sampler's own study is built from it at the next ask. Until then an earlier cell may be
        tried again, and what followed from its result cannot be asked for.
        """
        self._varied, self._ended = list(configurations), list(results)
        for number, result in enumerate(self._ended):
            if result is not None:
                self._watch.end(number, result)
        self._advance()

    def tell(self, number: int, result: ConfigurationResult) -> None:
        """Take in what became of a configuration; results may come in any order."""
        self._ended[number] = result
        self._watch.end(number, result)
        self._advance()

    def proposals(self) -> list[Proposal]:
        """Ask for all that may follow what was told, in order."""
        if self.stage.sampler is None:
            return []
        before = len(self._varied)
        while self._may_ask():
            self._varied.append(self._ask(len(self._varied)))
            self._ended.append(None)
        return [
            self._first[number] if number < len(self._first) else Proposal(varied)
            for number, varied in enumerate(self._varied[before:], start=before)
        ]

    def verdict(self, number: int, curve: Mapping[int, float]) -> str | None:
        """Say why a configuration is pruned after the last step of its curve; None: it goes on."""
        return self._watch.verdict(number, curve)

    def frozen(self, number: int) -> FrozenTrial | None:
        """Return an ended configuration as a trial for another storage; None while it runs."""
        result = self._ended[number]
        if result is None:
            return None
        return frozen_trial(self.stage, self._varied[number], result)

    def all_frozen(self) -> list[FrozenTrial | None]:
        """Return every configuration as `frozen` does."""
        return [self.frozen(number) for number in range(len(self._ended))]

    def _may_ask(self) -> bool:
        number = len(self._varied)
        if self.stage.work is not None:
            most = self.stage.work.configurations * self._epochs  # one epoch of each at least
            if number >= most or self._committed(self.stage.work) >= self.stage.work.limit:
                return False
        elif number >= (self.stage.trials or 0):
            return False
        return self.stage.sampler in FORESEEABLE or self._prefix >= self._told_before(number)

    def _committed(self, budget: WorkBudget) -> float:
        """Return what was computed, and what those that run may still; the same twice is free."""
        work = {}
        for varied, end in zip(self._varied, self._ended, strict=True):
            point = tuple(self._space.params(varied).items())
            work[point] = budget.of(varied) if end is None else end.work
        return sum(work.values())

    def _ask(self, number: int) -> Mapping[str, Any]:
        if self._held < number:
            self._rebuild()
        if number < len(self._first):
            self._add(self._first[number].varied)
            return self._first[number].varied
        if self.stage.sampler == "qmc":
            varied = self._sequence(number + 1)[number]
            self._add(varied)
            return varied
        return self._suggest(number)

    def _suggest(self, number: int) -> dict[str, Any]:
        """Ask the sampler for a proposal; results do not matter to some."""
        if self.stage.sampler not in FORESEEABLE:
            self._tell(self._told_before(number))
        self._study.sampler = make_sampler(
            self.stage.sampler or "tpe",
            search=self.name,
            number=number,
            trials=self.stage.trials or 0,
            is_conditional=self._space.is_conditional,
        )
        self._held += 1
        return self._space.suggest(self._study.ask())

    def _rebuild(self) -> None:
        """Give the sampler's study what the ledger holds.

        Samplers that evolve note in each trial which generation it is of, so they are asked again
        for what they proposed; where that is not what the ledger holds, they begin anew with it.
        """
        if self.stage.sampler in EVOLVING and not self._repeats():
            self._study, self._held = self._open(), 0
        for varied in self._varied[self._held :]:
            self._add(varied)

    def _repeats(self) -> bool:
        """Ask again for what the ledger holds; say whether the same was proposed."""
        for number, varied in enumerate(self._varied):
            if number < len(self._first):
                self._add(varied)
            elif self._suggest(number) != varied:
                return False
        return True

    def _open(self) -> optuna.Study:
        self._told = 0
        study = optuna.create_study(study_name=self.name, directions=self.directions)
        for trial in self._known:
            study.add_trial(trial)
        return study

    def _add(self, varied: Mapping[str, Any]) -> None:
        """Add a configuration that the sampler is not asked for."""
        self._held += 1
        self._study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.RUNNING,
                params=self._space.params(varied),
                distributions=self._space.distributions(varied),
            )
        )

    def _advance(self) -> None:
        while self._prefix < len(self._ended) and self._ended[self._prefix] is not None:
            self._prefix += 1

    def _told_before(self, number: int) -> int:
        """Return how many configurations a sampler is told of before a proposal."""
        return max(0, number - self.stage.rules.ahead + 1)

    def _tell(self, until: int) -> None:
        """Tell the sampler's study of the first configurations, in order."""
        for number in range(self._told, until):
            result = self._ended[number]
            if result is None:
                raise RuntimeError(f"configuration {number} of {self.name} must have ended")
            trial = optuna.trial.Trial(self._study, len(self._known) + number)
            for step, value in result.intermediate.items():
                if len(self.directions) == 1:
                    trial.report(value, step)
            if self.stage.sampler not in UNCONSTRAINED:
                for constraint, excess in _constraints(self.stage, result).items():
                    trial.set_constraint(constraint, excess)
            state, values = _end_for_sampler(self.stage, result)
            self._study.tell(trial, values, state=None if values else state)
            self._told = number + 1

    def _sequence(self, count: int) -> list[dict[str, Any]]:
        """Return the first proposals of a low-discrepancy sequence, from a study of its own."""
        if self._drawing is None:
            sampler = make_sampler("qmc", search=self.name, number=0)
            self._drawing = optuna.create_study(sampler=sampler)
        while len(self._drawn) < max(count, self.stage.trials or 0):
            self._drawn.append(self._space.suggest(self._drawing.ask()))
        return self._drawn


def frozen_trial(
    stage: Stage,
    varied: Mapping[str, Any],
    result: ConfigurationResult,
    *,
    for_sampler: bool = False,
) -> FrozenTrial:
    """Return a configuration that ended as a trial of Optuna's.

    Args:
        stage: That it was proposed for.
        varied: Its settings.
        result: What came of it.
        for_sampler: To learn from, and not to look at.
    """
    space = Space(stage)
    state, values = _end_for_sampler(stage, result) if for_sampler else _end(result)
    return optuna.trial.create_trial(
        state=state,
        values=values,
        params=space.params(varied),
        distributions=space.distributions(varied),
        user_attrs=dict(result.attributes),
        intermediate_values=dict(result.intermediate) if stage.rules.second is None else {},
        constraints=_constraints(stage, result),
    )


def _directions(stage: Stage, maximize: bool) -> list[Direction]:
    first: Direction = "maximize" if maximize else "minimize"
    second = stage.rules.second
    return [first] if second is None else [first, second.direction]


def _end(result: ConfigurationResult) -> tuple[TrialState, tuple[float, ...] | None]:
    """Return how Optuna has a configuration: what has no value was pruned, or failed."""
    if result.is_pruned:
        return TrialState.PRUNED, None
    if result.values is not None:
        return TrialState.COMPLETE, result.values
    return (TrialState.PRUNED if result.is_infeasible else TrialState.FAIL), None


def _end_for_sampler(
    stage: Stage, result: ConfigurationResult
) -> tuple[TrialState, tuple[float, ...] | None]:
    """Return how a sampler has it: those that learn limits do so from complete trials."""
    if result.last is None or stage.sampler in UNCONSTRAINED:
        return _end(result)
    return TrialState.COMPLETE, result.last


def _constraints(stage: Stage, result: ConfigurationResult) -> dict[str, float]:
    """Return the same constraints of every configuration: a Gaussian process models each one.

    What was not measured lies on its limit. What is feasible lies well inside, so that the
    neighbours of a configuration that works are not taken for doubtful.
    """
    limits = {name: result.constraints.get(name, 0.0) for name in stage.rules.constraints}
    return {**limits, "infeasible": 1.0 if result.is_infeasible else -1.0}
