"""How often an epoch shows each sample, so that it shows every class alike.

A turn is one showing of a sample in an epoch: its number is the sample's, and for each showing
after the first the number of all samples more. So what is drawn for a sample, its augmentation
and its clip, is drawn anew for each of its turns, and follows from (seed, epoch, turn) alone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_pipeline.settings import Balance

ONE_CLASS_TASKS = ("image_classification", "action_recognition")  # a sample has one class


@dataclass(frozen=True, slots=True)
class ClassTurns:
    """Which samples are of each class, and how many turns a class has in an epoch."""

    samples: tuple[tuple[int, ...], ...]  # of each class that there is, ascending
    turns: int  # of each class

    def __len__(self) -> int:
        return len(self.samples) * self.turns

    def drawn(self, random: np.random.Generator) -> list[int]:
        """Draw the turns of an epoch, class by class.

        Every sample of a class has as many turns as any other, or one more; which have one more
        is drawn.
        """
        count = sum(map(len, self.samples))
        turns: list[int] = []
        for samples in self.samples:
            whole, rest = divmod(self.turns, len(samples))
            for repeat in range(whole):
                turns += [sample + repeat * count for sample in samples]
            more = random.permutation(len(samples))[:rest]
            turns += [samples[int(place)] + whole * count for place in np.sort(more)]
        return turns


def class_turns(classes: Sequence[str], balance: Balance) -> ClassTurns | None:
    """Return how an epoch shows the samples of a split; None: each of them once.

    Args:
        classes: (samples,) the class of each, in the order of the split.
        balance: Of the study.
    """
    if balance == "none":
        return None
    counts = Counter(classes).values()
    by_class: dict[str, list[int]] = {}
    for sample, name in enumerate(classes):
        by_class.setdefault(name, []).append(sample)
    turns = max(counts) if balance == "over_sampling" else min(counts)
    return ClassTurns(tuple(tuple(by_class[name]) for name in sorted(by_class)), turns)


def balance_fault(task: str, balance: Balance) -> str | None:
    """Return what must hold where a study balances classes that its samples share."""
    if balance == "none" or task in ONE_CLASS_TASKS:
        return None
    return (
        f"'{balance}' shows samples of each class alike, which needs a sample to have one class, "
        f"as in {' and '.join(ONE_CLASS_TASKS)}; with task '{task}' use none, and weigh classes "
        "in the loss"
    )
