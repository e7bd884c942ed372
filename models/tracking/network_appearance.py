"""Describe what is in a box by DeepSORT's appearance network."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.pretrained import UNREADABLE
from models.tracking.appearance import Appearance
from models.tracking.appearance_network import (
    DESCRIPTOR_SIZE,
    INPUT_SIZE_HW,
    AppearanceNetwork,
)
from models.tracking.box_pictures import Picture, box_pictures
from models.tracking.settings import NetworkAppearanceSettings

SEED = 0  # of weights that no file gives


def build_network_appearance(settings: NetworkAppearanceSettings, device: str) -> Appearance:
    """Return what describes boxes by 128 numbers.

    Raises:
        ValueError: The file of weights cannot be read or is of another network.
    """
    network = _network(settings.weights).to(device).eval()

    def describe(frame: Picture, boxes_xyxy: NDArray[np.floating]) -> NDArray[np.float32]:
        pictures = torch.from_numpy(box_pictures(frame, boxes_xyxy, INPUT_SIZE_HW))
        with torch.inference_mode():
            rows = [
                network(_scaled(batch.to(device))).float().cpu()
                for batch in torch.split(pictures, settings.batch_size)
            ]
        described: NDArray[np.float32] = torch.cat(
            [torch.empty(0, DESCRIPTOR_SIZE), *rows]
        ).numpy()
        return described

    return describe


def _network(weights: Path | None) -> AppearanceNetwork:
    with torch.random.fork_rng(devices=[]):  # whoever draws next draws what it would without us
        torch.manual_seed(SEED)
        network = AppearanceNetwork()
    if weights is None:
        return network
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except (*UNREADABLE, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{weights} must hold the state dict of AppearanceNetwork as torch.save writes it, "
            f"got something else ({reason}); name another file, or set weights: null"
        ) from error
    return network


def _scaled(pictures: Tensor) -> Tensor:
    """Turn (b, h, w, 3) uint8 into (b, 3, h, w) in [-1, 1]."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
