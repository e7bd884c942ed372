"""Division and means in which 0 / 0 is left out: NaN until the very end."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntArray: TypeAlias = NDArray[np.integer[Any]]
FloatArray: TypeAlias = NDArray[np.float64]


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """Divide; 0 / 0 is NaN, without numpy's warning."""
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    shape = np.broadcast_shapes(top.shape, bottom.shape)
    quotient: FloatArray = np.divide(top, bottom, out=np.full(shape, np.nan), where=bottom != 0)
    return quotient


def mean(values: FloatArray, axis: int | None = None) -> FloatArray:
    """Average what is defined along an axis, or all of it; NaN where nothing is."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=axis), defined.sum(axis=axis))
