"""What a network said of samples that each show one of several classes, and how right it was.

Classes that are equally probable share their places, see `top_k`, and so do precision and F1: a
sample whose m most probable classes are equal was predicted as each of them 1 / m times. The
confusion matrix alone needs whole samples: there the first of equals is the prediction.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.metrics.ratios import FloatArray, mean, ratio
from models.metrics.top_k import credit

SMALLEST = float(np.finfo(np.float32).eps)  # probabilities are clipped to before their logarithm


@dataclass(frozen=True, slots=True)
class Guesses:
    """Samples of a split with the truth and the probabilities of all classes."""

    class_names: tuple[str, ...]  # in label order
    labels: NDArray[np.int64]  # (samples,) class index
    probabilities: NDArray[np.float32]  # (samples, classes)
    losses: FloatArray  # (samples,) of what training minimises

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(samples,) most probable class, the first of equals."""
        predicted: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return predicted

    @property
    def confidence(self) -> FloatArray:
        """(samples,) probability of the most probable class."""
        most: FloatArray = self.probabilities.max(axis=1).astype(np.float64)
        return most

    def surprise(self) -> FloatArray:
        """Return -ln of the probability given to the true class, (samples,)."""
        right = self.probabilities[np.arange(len(self.labels)), self.labels].astype(np.float64)
        logarithms: FloatArray = -np.log(right.clip(SMALLEST, 1 - SMALLEST))
        return logarithms

    def credit(self, k: int) -> FloatArray:
        """Return how surely each sample's class is among its first k, in [0, 1], (samples,)."""
        shares: FloatArray = credit(
            torch.from_numpy(self.probabilities), torch.from_numpy(self.labels), k
        ).numpy()
        return shares

    def by_class(self, values: FloatArray) -> FloatArray:
        """Average (samples,) values over each class's samples, NaN without one, (classes,)."""
        return ratio(self._sums(self.labels, values), self.samples())

    def samples(self) -> NDArray[np.int64]:
        """Count the samples of each class, (classes,)."""
        return np.bincount(self.labels, minlength=len(self.class_names))

    def recall(self) -> FloatArray:
        """Return the share of each class's samples that are right, (classes,)."""
        return self.by_class(self.credit(1))

    def precision(self) -> FloatArray:
        """Return the share of each class's predictions that are right, (classes,).

        NaN of a class that has no sample, or was never predicted.
        """
        return self._where_known(self._right(), self._predictions())

    def mean_precision(self) -> FloatArray:
        """Average precision over the classes that have a sample, 0 of one never predicted.

        Such a class counts, as in F1: else a network that says a single class would have that
        class's precision, and one that says only classes without a sample would have none.
        """
        return mean(np.where(self.samples() > 0, np.nan_to_num(self.precision()), np.nan))

    def f1(self) -> FloatArray:
        """Return the harmonic mean of recall and precision, (classes,).

        That is 2 TP / (2 TP + FP + FN): 0 of a class that was never predicted, NaN without one of
        its samples.
        """
        return self._where_known(2 * self._right(), self._predictions() + self.samples())

    def confusion(self) -> NDArray[np.int64]:
        """Count samples by class and prediction, (classes, classes), rows truth."""
        count = len(self.class_names)
        cells = np.bincount(self.labels * count + self.predicted, minlength=count * count)
        return cells.reshape(count, count)

    def _right(self) -> FloatArray:
        return self._sums(self.labels, self.credit(1))

    def _where_known(self, numerator: FloatArray, denominator: FloatArray) -> FloatArray:
        """Divide for the classes that have a sample: of others the split says nothing."""
        return np.where(self.samples() > 0, ratio(numerator, denominator), np.nan)

    def _predictions(self) -> FloatArray:
        """Count the predictions of each class, shared by equals, (classes,)."""
        is_first = self.probabilities == self.probabilities.max(axis=1, keepdims=True)
        samples, classes = np.nonzero(is_first)
        return self._sums(classes, 1 / is_first.sum(axis=1)[samples])

    def _sums(self, classes: NDArray[np.int64], values: FloatArray) -> FloatArray:
        count = len(self.class_names)
        return np.bincount(classes, weights=values, minlength=count).astype(np.float64)
