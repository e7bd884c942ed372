"""What only a GPU can show: repeatable steps, precision, resuming, running out of memory."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch

from benchmarks.gpu_loads import Load
from models.memory import peak_memory_mb
from models.session import Interrupted, OutOfMemory, TrainingSession
from models.training import train

pytestmark = pytest.mark.gpu
MODELS = ("unet", "slowfast", "faster_rcnn_vgg16")
BF16_TOLERANCE = 0.05  # of a loss: 8 bits of a mantissa
FirstStep = Callable[..., tuple[float, dict[str, torch.Tensor]]]
SmallLoad = Callable[[str], Load]


@pytest.mark.parametrize("model", MODELS)
def test_a_step_repeats_to_the_bit(
    small_load: SmallLoad, first_step: FirstStep, model: str
) -> None:
    one, other = first_step(small_load(model)), first_step(small_load(model))

    assert one[0] == other[0]
    assert all(torch.equal(one[1][name], other[1][name]) for name in one[1])


@pytest.mark.parametrize("model", MODELS)
def test_mixed_precision_has_nearly_the_same_loss(
    small_load: SmallLoad, first_step: FirstStep, model: str
) -> None:
    exact, _ = first_step(small_load(model))
    mixed, _ = first_step(small_load(model), "bf16-mixed")

    assert mixed == pytest.approx(exact, rel=BF16_TOLERANCE)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_stopped_training_ends_bit_identical(attempts: Callable[..., Any], precision: str) -> None:
    whole, cut = (attempts(training={"precision": precision}) for _ in range(2))
    expected = weights_after(whole.session())
    with pytest.raises(Interrupted):
        train(cut.session(stop_at_poll=4))

    found = weights_after(cut.session())

    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_peak_memory_is_that_of_the_device(attempts: Callable[..., Any]) -> None:
    cell = attempts()
    train(cell.session())

    peak = cell.reports[-1].metrics["peak_memory_mb"]
    total = torch.cuda.get_device_properties(0).total_memory / 2**20
    assert 0 < peak < total
    assert peak_memory_mb(torch.device("cuda", 0)) > 0


def test_full_memory_is_named_and_a_smaller_micro_batch_fits(
    attempts: Callable[..., Any], tiny_data: Any
) -> None:
    cell = attempts(training={"batch_size": 8, "epochs": 1}, data=tiny_data(count=8, size=512))

    def taken(divisor: int) -> int:
        """Train from the start; return the bytes that torch held at most."""
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        train(cell.session(earlier_folders=(), micro_batch_divisor=divisor))
        return torch.cuda.max_memory_reserved()

    small, large = taken(8), taken(1)
    assert small < large
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((small + large) / 2 / total)
    try:
        with pytest.raises(OutOfMemory, match="a micro-batch did not fit into memory"):
            taken(1)
        taken(8)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def weights_after(session: TrainingSession) -> dict[str, torch.Tensor]:
    """Train, and return the best epoch's weights."""
    result = train(session)
    file = session.folder / result.files["weights"]
    found: dict[str, torch.Tensor] = torch.load(file, weights_only=True, map_location="cpu")
    return found
