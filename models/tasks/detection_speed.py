"""How long a network takes for an image: measured when it is scored, one image at a time.

That is the forward pass from an image on the device to its boxes, those of low scores and
overlapping ones taken out; reading, resizing and copying the image are not in it. Regions that a
network has searched for are, although those of these images are known by then: a new image's are
not. It says what a user would wait for on that machine, beside whatever else ran there: it is no
metric, and no part of a result that must repeat.
"""

import itertools
import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.detection.selective_search.kept_boxes import searching_anew


def forward_times(network: nn.Module, images: Sequence[Tensor]) -> dict[str, Any]:
    """Time a network on images; the first one goes through it once more before, to warm up.

    Args:
        network: On its device, of any mode, which it keeps.
        images: (3, h, w) float32 each, at least one.

    Returns:
        As JSON: "device", "threads" of a CPU, whether kernels are "deterministic", "images",
        "input_hw" of the first, and the "median", "fastest" and "slowest" seconds.
    """
    weights = itertools.chain(network.parameters(), network.buffers())
    device = next((each.device for each in weights), torch.device("cpu"))
    was_training = network.training
    network.eval()
    with torch.no_grad():
        on_device = [image.to(device) for image in images]
        _seconds(network, on_device[0], device)
        with searching_anew():
            seconds = [_seconds(network, image, device) for image in on_device]
    network.train(was_training)
    is_cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if is_cuda else device.type,
        "threads": None if is_cuda else torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "images": len(images),
        "input_hw": list(images[0].shape[-2:]),
        "median": statistics.median(seconds),
        "fastest": min(seconds),
        "slowest": max(seconds),
    }


def _seconds(network: nn.Module, image: Tensor, device: torch.device) -> float:
    _wait(device)
    started = time.perf_counter()
    network([image])
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
