"""One label per pixel, by the rules that studies are scored with."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.assembly import assembled
from models.label_maps import NONE, merged, most_probable
from models.metrics.segmentation import SigmoidPredictions
from models.tasks.segmentation_counts import histograms

CLASSES = 3


@pytest.fixture
def probabilities() -> NDArray[np.float32]:
    """Return (3, 40, 40) probabilities in steps of 0.1, so that many are equal."""
    drawn = np.random.default_rng(0).integers(0, 11, (CLASSES, 40, 40))
    return (drawn / 10).astype(np.float32)


def test_a_softmax_takes_the_most_probable_label_and_the_first_of_equals() -> None:
    values = np.array([[[0.2, 0.4]], [[0.5, 0.4]], [[0.3, 0.2]]], np.float32)
    assert most_probable(values, (0, 1, 2)).tolist() == [[1, 0]]


@pytest.mark.parametrize("threshold", [0.001, 0.3, 0.5, 0.7, 0.999])
def test_classes_are_merged_as_an_assembly_is_scored(
    probabilities: NDArray[np.float32], threshold: float
) -> None:
    found = merged(probabilities, (1, 2, 3), [threshold] * CLASSES, nothing=0)
    kept = assembled(torch.from_numpy(probabilities).unsqueeze(0))
    truth = torch.zeros_like(kept, dtype=torch.bool)
    counts = histograms(kept, truth, torch.ones_like(truth[:, 0])).numpy()
    scored = SigmoidPredictions(
        ("a",), ("x", "y", "z"), np.zeros(1), positives=counts[:, :, 1], negatives=counts[:, :, 0]
    ).counts(threshold)

    assert [(found == label).sum() for label in (1, 2, 3)] == scored.fp[0].tolist()


def test_each_class_has_its_own_threshold() -> None:
    values = np.array([[0.6, 0.6, 0.1], [0.5, 0.3, 0.1]], np.float32)
    assert merged(values, (1, 2), (0.7, 0.4), nothing=0).tolist() == [2, 0, 0]
    assert merged(values, (0, 1), (0.2, 0.2), nothing=NONE).tolist() == [0, 0, NONE]
