"""How long a forward pass takes."""

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor, nn

from models.cost import HasFixedCost

BUDGET_S = 0.25  # for all passes but the first two
MOST_PASSES = 20


def forward_ms(model: nn.Module, example: Tensor, device: torch.device) -> float:
    """Time forward passes of one image, as the network predicts; milliseconds, median.

    Args:
        model: on `device`.
        example: its input, of one image; its values do not matter.
        device: of the training.
    """
    image = torch.zeros(example.shape, dtype=example.dtype, device=device)
    return median(pass_times_ms(model, [image], budget_s=BUDGET_S, most_passes=MOST_PASSES))


def pass_times_ms(
    model: nn.Module, inputs: Sequence[Tensor], *, budget_s: float, most_passes: int
) -> list[float]:
    """Time forward passes as the network predicts, after one that warms up; milliseconds each.

    The network is left as it was, and so are the random numbers that the training goes on with.

    Args:
        model: on the device of `inputs`.
        inputs: at least one; they are gone through in turn.
        budget_s: seconds after which no further pass begins; there is one at least.
        most_passes: passes after which there is no further one.
    """
    device = inputs[0].device
    was_training = {each: each.training for each in model.modules()}
    run = model.forward_at_fixed_cost if isinstance(model, HasFixedCost) else model
    devices = [device] if device.type == "cuda" else []
    try:
        model.eval()
        with torch.random.fork_rng(devices), torch.no_grad():
            _pass_s(run, inputs[0])  # the first one loads kernels
            seconds = [_pass_s(run, inputs[0])]
            while sum(seconds) < budget_s and len(seconds) < most_passes:
                seconds.append(_pass_s(run, inputs[len(seconds) % len(inputs)]))
    finally:
        for each, mode in was_training.items():
            each.training = mode
    return [1000 * each for each in seconds]


def _pass_s(run: Callable[[Tensor], object], image: Tensor) -> float:
    if image.device.type == "cuda":
        torch.cuda.synchronize(image.device)
    started = time.perf_counter()
    run(image)
    if image.device.type == "cuda":
        torch.cuda.synchronize(image.device)
    return time.perf_counter() - started
