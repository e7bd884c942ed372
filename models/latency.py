"""How long a forward pass of one image takes."""

import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn

from models.cost import HasFixedCost

BUDGET_S = 0.25  # for all passes but the first two
MOST_PASSES = 20


def forward_ms(model: nn.Module, example: Tensor, device: torch.device) -> float:
    """Time forward passes of one image, as the network predicts; milliseconds, median.

    The network is left as it was, and so are the random numbers that the training goes on with.

    Args:
        model: on `device`.
        example: its input, of one image; its values do not matter.
        device: of the training.
    """
    was_training = {each: each.training for each in model.modules()}
    image = torch.zeros(example.shape, dtype=example.dtype, device=device)
    run = model.forward_at_fixed_cost if isinstance(model, HasFixedCost) else model
    devices = [device] if device.type == "cuda" else []
    try:
        model.eval()
        with torch.random.fork_rng(devices), torch.no_grad():
            _pass_s(run, image, device)  # the first one loads kernels
            seconds = [_pass_s(run, image, device)]
            while sum(seconds) < BUDGET_S and len(seconds) < MOST_PASSES:
                seconds.append(_pass_s(run, image, device))
    finally:
        for each, mode in was_training.items():
            each.training = mode
    return 1000 * median(seconds)


def _pass_s(run: Callable[[Tensor], object], image: Tensor, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    run(image)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
