"""What `evaluation.also` asks of a batch: outlines and objects, image by image on the CPU."""

import numpy as np
from numpy.typing import NDArray

from models.metrics import boundaries
from models.metrics.boundaries import boundary_scores
from models.metrics.objects import object_agreement
from models.metrics.ratios import FloatArray
from models.metrics.scores import ShapeScores
from models.settings import EvaluationSettings
from models.tasks.segmentation_decisions import Decisions


def shape_scores(
    decisions: Decisions, evaluation: EvaluationSettings, *, is_softmax: bool
) -> ShapeScores:
    """Score a batch's outlines at every kept threshold, or as decided; and its objects.

    The last class is that of the objects.
    """
    if not evaluation.also:
        return ShapeScores()
    probabilities = decisions.probabilities.cpu().numpy()
    truth, valid = decisions.truth.cpu().numpy(), decisions.valid.cpu().numpy()
    outlines, objects = None, None
    if "boundary_f1" in evaluation.also:
        decided = decisions.found.cpu().numpy()[:, None]
        found = decided if is_softmax else (_at_thresholds(each) for each in probabilities)
        scores = [boundary_scores(*image) for image in zip(found, truth, valid, strict=True)]
        outlines = np.stack(scores)
    if "rand_error" in evaluation.also:
        images = zip(probabilities[:, -1], truth[:, -1], valid, strict=True)
        objects = np.stack([object_agreement(*image) for image in images])
    return ShapeScores(outlines, objects)


def _at_thresholds(probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return what is found at each threshold, (thresholds, classes, h, w)."""
    thresholds: FloatArray = np.array(boundaries.THRESHOLDS)
    # Compared in float64, as for histograms: a float32 0.7 is below 0.7.
    return probabilities.astype(np.float64) >= thresholds[:, None, None, None]
