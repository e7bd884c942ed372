"""What an epoch's end is scored by, held against what is kept where predictions are saved."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.metrics.segmentation import PROBABILITY_BINS, SigmoidPredictions
from models.settings import EvaluationSettings
from models.tasks.segmentation_counts import ImageRows

ALSO = ("boundary_f1", "rand_error")


def bytes_held(whole: Any, seen: set[int] | None = None) -> int:
    """Add up the tensors and arrays that an object reaches through its own attributes."""
    seen = set() if seen is None else seen
    if id(whole) in seen:
        return 0
    seen.add(id(whole))
    if isinstance(whole, Tensor):
        return whole.untyped_storage().nbytes()
    if isinstance(whole, np.ndarray):
        return whole.nbytes
    if isinstance(whole, dict):
        return sum(bytes_held(each, seen) for each in whole.values())
    if isinstance(whole, list | tuple):
        return sum(bytes_held(each, seen) for each in whole)
    slots = getattr(type(whole), "__slots__", ())
    parts = [getattr(whole, name) for name in slots] + list(
        getattr(whole, "__dict__", {}).values()
    )
    return sum(bytes_held(each, seen) for each in parts)


@pytest.mark.parametrize("threshold", [0.001, 0.4, 0.5, 0.999])
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("is_softmax", [False, True])
def test_an_epochs_end_scores_what_saved_predictions_do_to_the_last_bit(
    is_softmax: bool, seed: int, threshold: float, random_case: Callable[..., Any]
) -> None:
    case = random_case(seed, is_softmax=is_softmax, side=7)
    saved = case.evaluator(*ALSO, threshold=threshold, is_saved=True).compute()
    assert case.evaluator(*ALSO, threshold=threshold, is_saved=False).compute() == saved
    assert "loss" in saved


def test_an_epochs_end_keeps_no_histogram_of_an_image(random_case: Callable[..., Any]) -> None:
    case = random_case(3, is_softmax=False)
    held = {is_saved: bytes_held(case.evaluator(is_saved=is_saved)) for is_saved in (True, False)}
    images, classes = case.probabilities.shape[:2]
    histogram = 2 * PROBABILITY_BINS * 4  # bytes of an image and class in 32 bits
    assert held[True] >= images * classes * histogram
    pooled = classes * 2 * PROBABILITY_BINS * 8
    assert held[False] < pooled + 200 * images * classes


def test_saved_histograms_are_held_once(random_case: Callable[..., Any]) -> None:
    evaluator = random_case(3, is_softmax=False).evaluator(is_saved=True)
    before = bytes_held(evaluator)
    predictions = evaluator.predictions()
    assert np.shares_memory(evaluator.predictions().positives, predictions.positives)
    assert np.shares_memory(predictions.positives.base, predictions.negatives.base)
    assert bytes_held(evaluator) == before


def test_predictions_that_were_not_kept_cannot_be_saved(random_case: Callable[..., Any]) -> None:
    with pytest.raises(RuntimeError, match="must know that it is saved before it sees images"):
        random_case(3, is_softmax=False).evaluator(is_saved=False).predictions()


def test_rows_of_batches_are_joined_in_order_and_grow_on() -> None:
    rows, parts = ImageRows(), torch.split(torch.arange(12).view(6, 2), [1, 3, 2])
    for part in parts[:2]:
        rows.add(part)
    assert torch.equal(rows.joined(), torch.cat(parts[:2]))
    rows.add(parts[2])
    assert torch.equal(rows.joined(), torch.cat(parts))


def test_scoring_at_thresholds_holds_no_second_copy_of_the_histograms() -> None:
    generator = np.random.default_rng(0)
    counts = generator.integers(0, 9, (40, 10, 2, PROBABILITY_BINS), dtype=np.int32)
    predictions = SigmoidPredictions(
        tuple(map(str, range(40))),
        tuple(map(str, range(10))),
        np.zeros(40),
        positives=counts[:, :, 1],
        negatives=counts[:, :, 0],
    )
    tracemalloc.start()
    try:
        predictions.metrics(EvaluationSettings())
        predictions.counts_at([0.1, 0.9])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < counts.nbytes / 4
