"""Grad-CAM of the images that a strip of predictions shows."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import torch
from torch import Tensor, nn

from models.explaining.drawing import heat, overlay
from models.explaining.grad_cam import grad_cam
from models.explaining.layers import UnusableLayerError, last_map_layer
from models.explaining.live_network import asked_for_gradients
from models.tasks.classification_strips import ImageProbe
from models.tasks.strips import TILE


def with_maps(
    network: nn.Module,
    images: Tensor,
    probes: Sequence[ImageProbe],
    *,
    wanted: Sequence[ImageProbe],
) -> list[ImageProbe]:
    """Return the probes of a batch, those wanted with what spoke for their first guess.

    Nothing is added where the network has no map to ask, as one of linear layers alone.

    Args:
        network: In evaluation mode.
        images: (b, 3, h, w) float32, as the network gets them.
        probes: (b,) of the same images.
        wanted: Some of them, and others.
    """
    kept = {id(probe) for probe in wanted}
    rows = [row for row, probe in enumerate(probes) if id(probe) in kept]
    if not rows:
        return list(probes)
    guesses = [int(probes[row].probabilities.argmax()) for row in rows]
    labels = torch.tensor(guesses, device=images.device)
    with asked_for_gradients(network) as plain:
        try:
            layer = plain.get_submodule(last_map_layer(plain, images))
        except UnusableLayerError:
            return list(probes)
        maps = grad_cam(plain, layer, images[rows], labels).cpu().numpy()
    drawn = list(probes)
    for row, values in zip(rows, maps, strict=True):
        spread = cv2.resize(values, (TILE, TILE), interpolation=cv2.INTER_LINEAR)
        colours = heat(spread, end=float(spread.max()))
        drawn[row] = replace(probes[row], grad_cam=overlay(probes[row].image, colours))
    return drawn
