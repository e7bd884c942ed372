"""A pruner must be able to prune: there must be epochs, seeds or others to compare."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from studies.spec.branches import spots
from studies.spec.draft import Draft
from studies.spec.problems import Finding, Loc
from studies.spec.sampling_schema import (
    HyperbandPruner,
    MedianPruner,
    PatiencePruner,
    Pruner,
    SuccessiveHalvingPruner,
    WilcoxonPruner,
)
from studies.spec.search_schema import Range, Vary

EPOCHS = "training.epochs"


def pruner_findings(
    pruner: Pruner,
    loc: Loc,
    draft: Draft,
    *,
    space: Vary,
    held: Mapping[str, Any],
    trials: int | None,
) -> Iterator[Finding]:
    """Check a search's pruner.

    Args:
        pruner: As the study says.
        loc: Where it says so.
        draft: The study as far as it could be read.
        space: What the search varies.
        held: Settings that hold in its stage, dotted; not checked yet.
        trials: Configurations it tries; None: that is not said.
    """
    if isinstance(pruner, WilcoxonPruner):
        yield from _seed_findings(pruner, loc, draft)
        return
    if draft.training is None:
        return
    own = held.get(EPOCHS)
    epochs = most_epochs(own if isinstance(own, int) else draft.training.epochs, space)
    if epochs < 2:
        message = (
            f"'{pruner.name}' compares trainings epoch by epoch, and they have {epochs}; raise "
            "training.epochs, or remove the pruner"
        )
        yield Finding(loc, message, on_key=True)
        return
    for field in _epochs_fields(pruner):
        value = getattr(pruner, field)
        if value >= epochs:
            message = f"must be less than the {epochs} epochs of a training, got {value}"
            yield Finding((*loc, field), f"{message}; else nothing is ever pruned")
    if isinstance(pruner, PatiencePruner) and pruner.epochs >= epochs - 1:
        message = (
            f"must be less than {epochs - 1}, as the last of {epochs} epochs is trained in any "
            f"case, got {pruner.epochs}; else nothing is ever pruned"
        )
        yield Finding((*loc, "epochs"), message)
    if isinstance(pruner, MedianPruner) and trials and pruner.startup_trials >= trials:
        message = (
            f"must be less than the {trials} configurations of the search, got "
            f"{pruner.startup_trials}; else nothing is ever pruned"
        )
        yield Finding((*loc, "startup_trials"), message)


def most_epochs(epochs: int, space: Vary) -> int:
    """Return the most epochs that a configuration trains.

    Args:
        epochs: What it inherits, or its stage holds.
        space: What varies; epochs may.
    """
    most = []
    for spot in spots(space, ()):
        if spot.path == EPOCHS:
            values = spot.values
            most += [values.high] if isinstance(values, Range) else list(values)
    return int(max(most, default=epochs))


def _epochs_fields(pruner: Pruner) -> tuple[str, ...]:
    """Return the fields that must be less than the epochs of a training."""
    if isinstance(pruner, SuccessiveHalvingPruner | HyperbandPruner):
        return ("min_epochs",)
    if isinstance(pruner, MedianPruner):
        return ("warmup_epochs", "interval_epochs")
    return ()


def _seed_findings(pruner: WilcoxonPruner, loc: Loc, draft: Draft) -> Iterator[Finding]:
    search = draft.values.get("search")
    # Even where each of n seeds is worse, the one-sided p-value is 1 / 2^n.
    least = max(pruner.startup_seeds, math.floor(math.log2(1 / pruner.p_threshold)) + 1)
    folds = (draft.data.folds if draft.data else None) or 1
    if search is None or search.replicates * folds > least:
        return
    seeds = search.replicates
    there = f"{'is' if seeds == 1 else 'are'} {seeds}" + (f" x {folds} folds" if folds > 1 else "")
    message = (
        f"'wilcoxon' compares seeds, needs {least} of them for a p-value below "
        f"{pruner.p_threshold:g} or as startup_seeds, and there {there}; raise "
        f"search.replicates to {least // folds + 1} or more, or remove the pruner"
    )
    yield Finding(loc, message, on_key=True)
