"""SVMs that tell a class from everything else, and regressors of boxes; scikit-learn's.

What the paper leaves open is as in the authors' code: features are scaled to a mean length of 20,
true boxes count twice, and the SVMs' constant is hardly penalised.
"""

import logging
import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
from sklearn.linear_model import Ridge  # type: ignore[import-untyped]
from sklearn.svm import LinearSVC  # type: ignore[import-untyped]

logger = logging.getLogger(__name__)

LENGTH = 20.0  # of features, on average
TRUE_WEIGHT = 2.0  # of an error on a true box
CONSTANT = 10.0  # of the feature that makes the SVM's constant
MOST_ROUNDS = 10_000
SEED = 0  # of the order in which the SVMs' solver looks at examples

Floats = NDArray[np.float32]
Linear = tuple[NDArray[np.float64], NDArray[np.float64]]  # weights (outputs, inputs), constants


def fit_svm(objects: Floats, background: Floats, cost: float) -> Linear:
    """Return weights (1, f) and constant (1,) of a margin above 0 for objects.

    Args:
        objects: (n, f) features of true boxes.
        background: (m, f).
        cost: C.
    """
    if not len(objects) or not len(background):
        return never_found(objects.shape[1])
    svm = LinearSVC(
        C=cost,
        loss="hinge",
        class_weight={1: TRUE_WEIGHT},
        intercept_scaling=CONSTANT,
        max_iter=MOST_ROUNDS,
        random_state=SEED,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is logged instead
        svm.fit(
            np.concatenate([objects, background]),
            np.repeat([1, 0], [len(objects), len(background)]),
        )
    if svm.n_iter_ >= MOST_ROUNDS:
        logger.warning("an SVM is not at its optimum after %d rounds", MOST_ROUNDS)
    return svm.coef_, svm.intercept_


def never_found(features: int) -> Linear:
    """Return what is below every threshold: the SVM of a class that has nothing to learn from."""
    return np.zeros((1, features)), np.full(1, -np.inf)


def fit_boxes(features: Floats, deltas: Floats, penalty: float) -> Linear:
    """Return weights (4, f) and constants (4,) that predict how boxes are to be moved.

    Args:
        features: (n, f).
        deltas: (n, 4) what was right; without any example boxes stay where they are.
        penalty: Lambda, of the squared weights (Girshick et al. 2014, equation 5).
    """
    if not len(features):
        return np.zeros((4, features.shape[1])), np.zeros(4)
    ridge = Ridge(alpha=penalty).fit(features.astype(np.float64), deltas.astype(np.float64))
    return ridge.coef_, ridge.intercept_
