"""May our number stand beside a cited one? Computed from the two protocols, never typed.

Five kinds of fields decide. *Identity*: another task, dataset, class or metric is another
question, so the numbers are not comparable. *Budget*: more than `BUDGET_FACTOR` times the
epochs, training images or image side is another experiment; smaller gaps need care.
*Pretraining*: a network that starts from weights of other data is another experiment than one that
starts from none; other data need care. *Condition*: any other difference needs care. *Leak*: a
number from a split that cuts recordings answers another question than one from a split that does
not, or does not say. What else the source does not say is listed, and cannot be held against
either side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from reports.baselines.citations import Protocol
from reports.leaky_splits import CUTS_GROUPS, FRAMES_OF_DRIVES
from reports.notation import join_words, metric_name, value_text

BUDGET_FACTOR = 2.0
IDENTITY = {"task": "task", "dataset": "dataset", "class_name": "class", "metric": "metric"}
BUDGET = {"train_images": "training images", "epochs": "epochs", "image_size": "image size"}
MEASURED_NO = "this study measured no"
FROM_NOTHING = "none"  # pretraining of a network that starts from random weights
PRETRAINING = {"pretraining": "pretraining"}
CONDITION = {
    "split": "scored split",
    **PRETRAINING,
    "selected_on": "selected on",
    "classes_per_model": "classes per model",
    "batch_size": "batch size",
    "learning_rate": "learning rate",
    "optimizer": "optimizer",
    "loss": "loss",
    "threshold": "threshold",
    "scored_images": "scored images",
}
VIDEO_TASKS = ("action_recognition",)
BUDGET_OF_VIDEOS = {**BUDGET, "frames": "clip frames"}
CONDITION_OF_VIDEOS = {
    **CONDITION,
    "split_policy": "split policy",
    "views": "views per video",
    "crops": "crops per view",
    "weight_decay": "weight decay",
    "schedule": "schedule",
}

# What one chooses, and a table may vary.
SETTINGS = frozenset(
    {
        "image_size",
        "pretraining",
        "batch_size",
        "learning_rate",
        "optimizer",
        "loss",
        "threshold",
        "epochs",
        *(CONDITION_OF_VIDEOS.keys() - CONDITION.keys()),
        *(BUDGET_OF_VIDEOS.keys() - BUDGET.keys()),
    }
)


class Standing(StrEnum):
    """Whether two numbers answer the same question."""

    SAME = "same protocol"
    CARE = "comparable with care"
    NOT = "not comparable"


@dataclass(frozen=True, slots=True)
class Comparability:
    """How two protocols stand to each other, with every difference that led to it."""

    standing: Standing
    reasons: tuple[str, ...]  # "image size 96, theirs 128"
    unstated: tuple[str, ...]  # fields that one of the two protocols does not state

    @property
    def sentence(self) -> str:
        """The standing with its reasons, as printed in the report."""
        if self.standing is Standing.SAME:
            return str(self.standing)
        link = " because " if self.standing is Standing.NOT else ": "
        return f"{self.standing}{link}{'; '.join(self.reasons)}"


def compare_protocols(cited: Protocol, ours: Protocol) -> Comparability:
    """Judge whether our number may stand beside a cited one."""
    identity = _differences(cited, ours, IDENTITY)
    hard = [
        *identity,
        *_leak(cited, ours),
        *_budget_gaps(cited, ours),
        *_head_start(cited, ours),
    ]
    soft = _differences(cited, ours, _condition(cited) | _budget(cited))
    unstated = tuple(
        words
        for field, words in (IDENTITY | _budget(cited) | _condition(cited)).items()
        if getattr(cited, field) is None or getattr(ours, field) is None
    )
    if hard:
        return Comparability(Standing.NOT, tuple(hard), unstated)
    if soft:
        return Comparability(Standing.CARE, tuple(soft), unstated)
    return Comparability(Standing.SAME, (), unstated)


def missing_counterpart(
    cited: Protocol, datasets: tuple[str, ...], *, is_class_known: bool = False
) -> Comparability:
    """Say why no number of a study answers a cited one."""
    if cited.dataset not in datasets:
        reason = f"dataset {join_words(datasets)}, theirs {cited.dataset}"
    elif is_class_known:
        reason = f"{MEASURED_NO} {metric_name(cited.metric)}"
    else:
        reason = f"this study has no result for class '{cited.class_name}'"
    return Comparability(Standing.NOT, (reason,), ())


def varied_fields(cited: Sequence[Protocol]) -> frozenset[str]:
    """Return what a cited table is about: the settings in which its rows differ."""
    return frozenset(
        field for field in SETTINGS if len({getattr(each, field) for each in cited} - {None}) > 1
    )


def count_differences(
    cited: Protocol, ours: Protocol, varied: frozenset[str] = frozenset()
) -> tuple[int, int]:
    """Count stated fields that differ: those among `varied`, then all.

    The closest of our configurations has the fewest: in a table of thresholds the one with the
    row's threshold, whatever else differs.
    """
    every = IDENTITY | _budget(cited) | _condition(cited)
    own = {field: words for field, words in every.items() if field in varied}
    return len(_differences(cited, ours, own)), len(_differences(cited, ours, every))


def _differences(cited: Protocol, ours: Protocol, fields: dict[str, str]) -> list[str]:
    found = []
    for field, words in fields.items():
        theirs, our_value = getattr(cited, field), getattr(ours, field)
        if theirs is not None and our_value is not None and not _agree(theirs, our_value):
            found.append(f"{words} {value_text(our_value)}, theirs {value_text(theirs)}")
    return found


def _budget(cited: Protocol) -> dict[str, str]:
    return BUDGET_OF_VIDEOS if cited.task in VIDEO_TASKS else BUDGET


def _condition(cited: Protocol) -> dict[str, str]:
    return CONDITION_OF_VIDEOS if cited.task in VIDEO_TASKS else CONDITION


def _leak(cited: Protocol, ours: Protocol) -> list[str]:
    """Tell a split that cuts recordings from one that does not, or does not say so."""
    has_groups = cited.task in VIDEO_TASKS or cited.dataset in FRAMES_OF_DRIVES
    theirs, own = (each.split_policy in CUTS_GROUPS for each in (cited, ours))
    if not has_groups or theirs == own:
        return []
    names = [each.split_policy or "not stated" for each in (ours, cited)]
    return [f"split policy {names[0]}, theirs {names[1]}"]


def _head_start(cited: Protocol, ours: Protocol) -> list[str]:
    """Tell a network that starts from trained weights from one that starts from none."""
    starts = (cited.pretraining, ours.pretraining)
    if None in starts or starts.count(FROM_NOTHING) != 1:
        return []
    return _differences(cited, ours, PRETRAINING)


def _agree(theirs: str | float, ours: str | float) -> bool:
    if isinstance(theirs, str) or isinstance(ours, str):
        return theirs == ours
    return math.isclose(theirs, ours, rel_tol=1e-9)


def _budget_gaps(cited: Protocol, ours: Protocol) -> list[str]:
    far = {
        field: words
        for field, words in _budget(cited).items()
        if _factor(getattr(cited, field), getattr(ours, field)) > BUDGET_FACTOR
    }
    return _differences(cited, ours, far)


def _factor(theirs: int | None, ours: int | None) -> float:
    if not theirs or not ours:
        return 1.0
    return max(theirs / ours, ours / theirs)
