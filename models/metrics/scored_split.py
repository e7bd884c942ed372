"""What a detector said of a split: all that its metrics are computed from."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.metrics.scored_images import ScoredImage


@dataclass(frozen=True, slots=True)
class ScoredSplit:
    """Truth, detections and losses of a split's images."""

    class_names: tuple[str, ...]  # in label order
    images: tuple[ScoredImage, ...]  # at least one
    losses: NDArray[np.float64]  # (images,) sum of each image's losses
    measures: Mapping[str, NDArray[np.float64]]  # name -> (2,) a sum, and the number of its terms

    def averages(self) -> dict[str, float]:
        """Return the mean loss of an image and each measure that has a term."""
        quotients = {
            name: float(total / terms) for name, (total, terms) in self.measures.items() if terms
        }
        return {"loss": float(self.losses.mean()), **quotients}
