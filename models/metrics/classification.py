"""How well images are told apart. `docs/metrics.md` has the formulas.

A metric that is not defined for a class, because the split has no image of it or because it was
never predicted, is left out of the scores: it is never 0. A class without an image is left out of
the means over classes too; one that was never predicted counts there with a precision of 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.metrics.calibration import calibration
from models.metrics.guesses import Guesses
from models.metrics.names import TOP, classification_slugs
from models.metrics.ratios import FloatArray, mean, ratio


@dataclass(frozen=True, slots=True)
class ClassifiedImages(Guesses):
    """What a network said of a split's images."""

    image_ids: tuple[str, ...]  # (images,)


def classification_metrics(images: ClassifiedImages) -> dict[str, float]:
    """Score a split of at least one image; what is undefined is left out."""
    names, right = images.class_names, images.credit(1)
    by_class = {"recall": images.recall(), "precision": images.precision(), "f1": images.f1()}
    metrics = {
        "top1": right.mean(),
        "class_recall": mean(by_class["recall"]),
        "precision": images.mean_precision(),
        "f1": mean(by_class["f1"]),
        "auc": mean(roc_auc_by_class(images)),
        "ece": calibration(images.confidence, right).error,
        "loss": images.losses.mean(),
        "log_loss": images.surprise().mean(),
    }
    if len(names) > TOP:  # else every class is among the first five
        metrics["top5"] = images.credit(TOP).mean()
    for index, slug in enumerate(classification_slugs(names)):
        metrics |= {f"{own}_{slug}": values[index] for own, values in by_class.items()}
    return {name: float(value) for name, value in metrics.items() if not np.isnan(value)}


def roc_auc_by_class(guesses: Guesses) -> FloatArray:
    """Return the area under each class's ROC curve against all others, (classes,).

    That is the chance that a sample of the class has a higher probability of it than one that is
    of another class; a tie counts half (Mann and Whitney 1947; Fawcett 2006). NaN where the split
    has samples of one side alone.
    """
    own = guesses.samples()
    ranks = np.array(
        [
            _ranks(column, column[guesses.labels == index]).sum()
            for index, column in enumerate(guesses.probabilities.T)
        ]
    )
    return ratio(ranks - own * (own + 1) / 2, own * (len(guesses.labels) - own))


def _ranks(every: NDArray[np.float32], values: NDArray[np.float32]) -> FloatArray:
    """Return the places of some values among all, from 1; equals have the mean of theirs.

    As `scipy.stats.rankdata`, which would rank all images for the few that are of the class.
    """
    ordered = np.sort(every)
    before, up_to = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    ranks: FloatArray = (before + up_to + 1) / 2
    return ranks
