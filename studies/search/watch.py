"""What a pruner looks at: how far each configuration of a search has come.

A study of its own, since a sampler is told in order what a pruner must know at once.
"""

from collections.abc import Mapping

import optuna
from optuna.trial import TrialState

from studies.search.pruners import make_pruner, pruned_because
from studies.search.told import ConfigurationResult
from studies.tree.stages import Stage


class Watch:
    """A search's configurations as its pruner sees them; in memory."""

    def __init__(self, name: str, stage: Stage, *, maximize: bool, epochs: int) -> None:
        """Watch nothing yet.

        Args:
            name: Of the search; Hyperband draws brackets by it.
            stage: Whose pruner decides.
            maximize: Whether more is better.
            epochs: Most that a configuration trains.
        """
        self._pruner = stage.rules.pruner
        self._study = optuna.create_study(
            study_name=name,
            direction="maximize" if maximize else "minimize",
            pruner=make_pruner(self._pruner, epochs=epochs),
        )
        self._trials: list[optuna.Trial] = []  # by configuration; pruners look at no parameter
        self._verdicts: list[dict[int, bool]] = []  # by configuration: step -> pruned there

    def verdict(self, number: int, curve: Mapping[int, float]) -> str | None:
        """Say why a configuration is pruned after the last step of a curve; None: it goes on.

        Args:
            number: Of the configuration in its search.
            curve: Step -> value so far; steps that were told before may be left out.
        """
        if self._pruner is None or not curve:
            return None
        self._report(number, curve)
        last = max(curve)
        if not self._verdicts[number][last]:
            return None
        return pruned_because(self._pruner, step=last, value=curve[last])

    def end(self, number: int, result: ConfigurationResult) -> None:
        """Take in what became of a configuration."""
        if self._pruner is None:
            return
        self._report(number, result.intermediate)
        trial = self._trials[number]
        if result.is_pruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        elif result.values is None:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, result.values[0])

    def _report(self, number: int, curve: Mapping[int, float]) -> None:
        while len(self._trials) <= number:
            self._trials.append(self._study.ask())
            self._verdicts.append({})
        verdicts = self._verdicts[number]
        for step in sorted(curve.keys() - verdicts.keys()):
            self._trials[number].report(curve[step], step)
            # Once for each step: halving notes there who has come how far.
            verdicts[step] = self._trials[number].should_prune()
