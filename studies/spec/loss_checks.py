"""A study that chooses by the loss must not vary what the loss is: its scale would decide.

loss itself   refused: nobody can mean it
its settings  warned of: a smoothed or weighted loss is another scale, and yet may be meant
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from models.catalog import TASKS
from models.loss_settings import LOSSES_OF_SETTINGS
from studies.spec.branches import spots
from studies.spec.problems import Loc
from studies.spec.schema import Objective, StudySpec
from studies.spec.search_schema import Range, Vary

LOSS = "training.loss"
# Triplets stand beside the loss, which is cross entropy, and are no part of `val/loss`.
OF_TRIPLETS = ("triplet_weight", "triplet_margin", "mining")
OF_LOSS = frozenset(f"training.{name}" for name in LOSSES_OF_SETTINGS if name not in OF_TRIPLETS)
# Where networks have losses of their own: another network, or these of its settings.
OF_NETWORKS = frozenset(
    f"model.{name}"
    for name in (
        "name",
        "alpha",
        "anchor_box_weights",
        "box_weights",
        "class_weight",
        "coordinate_weight",
        "focal_alpha",
        "focal_gamma",
        "no_object_weight",
        "object_weight",
    )
)


class Tried(NamedTuple):
    """A setting, and what a stage or a joint search tries for it."""

    loc: Loc
    path: str  # dotted
    values: Sequence[Any] | Range


def chooses_by_loss(objective: Objective) -> bool:
    """Whether the least loss wins."""
    return objective.metric.partition("/")[2] == "loss"


def mixed_losses(task: str, objective: Objective, vary: Vary, loc: Loc) -> Iterator[Tried]:
    """Yield where losses of different kinds are compared by the loss.

    Args:
        task: Of the study.
        objective: By which it chooses.
        vary: The space of a stage, or of a joint search.
        loc: Where the study has it.
    """
    if not chooses_by_loss(objective):
        return
    usual = TASKS[task].usual_loss
    for tried in _tried(vary, loc):
        if tried.path == LOSS and not isinstance(tried.values, Range):
            kinds = {
                "cross_entropy" if each == "triplet" else each or usual
                for each in tried.values
                if each is None or isinstance(each, str)
            }
            if len(kinds) > 1:
                yield tried


def mixed_losses_message(task: str, objective: Objective) -> str:
    """Say why losses of different kinds cannot be compared by the loss, and by what instead."""
    return (
        f"losses differ in scale, so that {objective.metric}, by which the study chooses, is "
        "smallest where the scale is and not where the network is best; "
        f"{_instead(task, objective)}"
    )


def warnings_of_losses(spec: StudySpec) -> Iterator[str]:
    """Yield a sentence for each setting that changes the scale of the loss that decides."""
    if not chooses_by_loss(spec.objective):
        return
    parts: list[tuple[str, Vary]] = [(f"stage '{s.stage}'", s.vary) for s in spec.search.tree]
    if spec.search.joint is not None:  # what a joint search that is like a tree varies is said
        parts.append(("the joint search", spec.search.joint.space))
    has_own_losses = LOSS in TASKS[spec.task].idle_settings
    scales = OF_LOSS | OF_NETWORKS if has_own_losses else OF_LOSS
    for name, vary in parts:
        varied = [each.path for each in _tried(vary, ()) if each.path in scales and _differ(each)]
        if varied:
            yield (
                f"{name} varies {', '.join(dict.fromkeys(varied))}, which changes the scale of "
                f"the loss, and the study chooses by {spec.objective.metric}: the smallest may be "
                f"of no better network; {_instead(spec.task, spec.objective)}"
            )


def _tried(vary: Vary, loc: Loc) -> Iterator[Tried]:
    """Yield every setting that varies; of parts that are tried as a whole, what is in them."""
    for spot in spots(vary, loc):
        values = spot.values
        parts = [] if isinstance(values, Range) else [v for v in values if isinstance(v, Mapping)]
        if parts and spot.path in ("training", "model"):
            names = dict.fromkeys(name for part in parts for name in part)
            for name in names:
                yield Tried(spot.loc, f"{spot.path}.{name}", [part.get(name) for part in parts])
        else:
            yield Tried(spot.loc, spot.path, values)


def _differ(tried: Tried) -> bool:
    values = tried.values
    return isinstance(values, Range) or any(each != values[0] for each in values)


def _instead(task: str, objective: Objective) -> str:
    """Name what is the same for every loss of the task."""
    split, metrics = objective.metric.partition("/")[0], TASKS[task].metrics
    log_loss = f"{split}/log_loss (direction: minimize) or " if "log_loss" in metrics else ""
    return f"choose by {log_loss}{split}/{metrics[0]} (direction: maximize)"
