"""Optical flow by torchvision's small RAFT (Teed & Deng 2020), on the CPU.

One thread of torch's, so that the last bits do not depend on how many there are.
"""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torchvision  # type: ignore[import-untyped]
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad
from torchvision.models.optical_flow import (  # type: ignore[import-untyped]
    Raft_Small_Weights,
    raft_small,
)

from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.video.flow_weights import weights_sha256

PUBLISHED = Raft_Small_Weights.C_T_V2
MULTIPLE = 8  # that the sides of a frame must be of
LEAST_SIDE = 128  # pixels, of which the coarsest of four correlation maps still has 2


def raft_version(weights: Path | None) -> str:
    """Name what decides RAFT's output.

    Raises:
        MissingDataError: The file is not there.
    """
    libraries = f"torch {torch.__version__} torchvision {torchvision.__version__}"
    return f"{libraries} weights {PUBLISHED.name if weights is None else weights_sha256(weights)}"


def raft_motion(
    frame: NDArray[np.uint8], later: NDArray[np.uint8], weights: Path | None
) -> NDArray[np.float32]:
    """Estimate how far each pixel of a frame moves until a later one.

    Args:
        frame: (h, w, 3) RGB.
        later: (h, w, 3) RGB.
        weights: File of a state_dict; None: torchvision's.

    Returns:
        (h, w, 2) float32: right and down, pixels.

    Raises:
        MissingDataError: The weights cannot be had.
        InvalidDataError: They are those of another network.
    """
    height, width = frame.shape[:2]
    with _one_thread(), torch.inference_mode():
        motion = _network(weights)(_input(frame), _input(later))[-1]
    cut = motion[0, :, :height, :width].permute(1, 2, 0)
    return np.ascontiguousarray(cut.numpy())


def _input(frame: NDArray[np.uint8]) -> Tensor:
    """Return (1, 3, h, w) in [-1, 1], the last rows and columns repeated up to a size it takes."""
    pixels = torch.from_numpy(frame.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
    sides = [max(LEAST_SIDE, -(-side // MULTIPLE) * MULTIPLE) for side in frame.shape[:2]]
    down, across = (side - old for side, old in zip(sides, frame.shape[:2], strict=True))
    return pad(pixels, [0, across, 0, down], mode="replicate")


@lru_cache(maxsize=1)
def _network(weights: Path | None) -> nn.Module:
    try:
        state = _published() if weights is None else _read(weights)
        network: nn.Module = raft_small(weights=None, progress=False)
        network.load_state_dict(state)
    except (RuntimeError, KeyError, AttributeError, TypeError) as error:
        raise InvalidDataError(
            f"{weights} must hold the weights of torchvision's raft_small, got others "
            f"({' '.join(str(error).split())[:160]}); correct clip.flow.weights"
        ) from error
    return network.eval()


def _published() -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = PUBLISHED.get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
    except OSError as error:
        raise MissingDataError(
            f"the weights of RAFT must come from {PUBLISHED.url}, got: {error}; connect this "
            "computer, name a file by clip.flow.weights, or use method 'dis'"
        ) from error
    return state


def _read(file: Path) -> dict[str, Tensor]:
    weights_sha256(file)  # says which file cannot be read
    try:
        state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except (EOFError, ValueError, pickle.PickleError) as error:
        raise InvalidDataError(
            f"{file} must hold weights, got something else ({error}); correct clip.flow.weights"
        ) from error
    return state


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
