"""Optuna's pruners as a study file names them, and why one of them ended a training."""

import math
import warnings
from collections.abc import Mapping

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial

from studies.spec.sampling_schema import (
    HyperbandPruner,
    MedianPruner,
    PatiencePruner,
    Pruner,
    SearchRules,
    SuccessiveHalvingPruner,
    WilcoxonPruner,
)


class Patience(BasePruner):
    """Ends what has not improved for some epochs.

    Optuna's own `PatientPruner` ends only what became worse, and never a plateau.
    """

    def __init__(self, rule: PatiencePruner) -> None:
        """Take the rule as the study says it."""
        self._rule = rule

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Say whether the last better score is too many epochs old."""
        sign = 1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else -1
        best, improved_at, epoch = -math.inf, 0, 0
        for epoch, value in sorted(trial.intermediate_values.items()):
            if sign * value > best + self._rule.min_delta:
                best, improved_at = sign * value, epoch
        return epoch - improved_at >= self._rule.epochs


def make_pruner(pruner: Pruner | None, *, epochs: int) -> BasePruner:
    """Return Optuna's pruner.

    Args:
        pruner: As the study says; None: nothing is pruned.
        epochs: Most that a configuration trains.
    """
    match pruner:
        case None:
            return optuna.pruners.NopPruner()
        case MedianPruner():
            return optuna.pruners.MedianPruner(
                n_startup_trials=pruner.startup_trials,
                n_warmup_steps=pruner.warmup_epochs + 1,  # the first step that is looked at
                interval_steps=pruner.interval_epochs,
            )
        case SuccessiveHalvingPruner():
            return optuna.pruners.SuccessiveHalvingPruner(
                min_resource=pruner.min_epochs, reduction_factor=pruner.reduction
            )
        case HyperbandPruner():
            return optuna.pruners.HyperbandPruner(
                min_resource=pruner.min_epochs,
                max_resource=epochs,
                reduction_factor=pruner.reduction,
            )
        case PatiencePruner():
            return Patience(pruner)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.pruners.WilcoxonPruner(
            p_threshold=pruner.p_threshold, n_startup_steps=pruner.startup_seeds
        )


def pruned_because(pruner: Pruner, *, step: int, value: float) -> str:
    """Say why a configuration was pruned.

    Args:
        pruner: That did it.
        step: 1-based epoch; with Wilcoxon the seed.
        value: The objective there.
    """
    score = f"{value:.4g}"
    match pruner:
        case MedianPruner():
            return (
                f"its best up to epoch {step}, where it has {score}, is worse than the median of "
                "the others there"
            )
        case SuccessiveHalvingPruner() | HyperbandPruner():
            return (
                f"{score} after epoch {step} is not among the best 1 in {pruner.reduction} "
                f"that went on there ({pruner.name})"
            )
        case WilcoxonPruner():
            return f"its seeds up to {step} are worse than the best's (Wilcoxon signed-rank test)"
        case PatiencePruner():
            return f"no better score in {pruner.epochs} epochs, {score} after epoch {step}"


def watches_epochs(rules: SearchRules) -> bool:
    """Whether trials are compared epoch by epoch, and not when they ended."""
    return rules.pruner is not None and not isinstance(rules.pruner, WilcoxonPruner)


def exceeded(rules: SearchRules, facts: Mapping[str, float]) -> str | None:
    """Say which limit a configuration exceeds; None: as far as is known, none."""
    for name, most in rules.constraints.items():
        if name in facts and facts[name] > most:
            return f"{name} {facts[name]:.4g} exceeds its constraint of {most:g}"
    return None
