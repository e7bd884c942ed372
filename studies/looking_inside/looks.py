"""What each method finds in one picture, as a map over the network's input."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.explaining.attention import attention_map, soft_attention
from models.explaining.channels import Channels, feature_maps, filters
from models.explaining.grad_cam import grad_cam
from models.explaining.layers import first_convolution, last_map_layer, map_layer
from models.explaining.pixel_gradients import integrated_gradients, saliency

MOST_CHANNELS = 32


@dataclass(frozen=True, slots=True)
class Subject:
    """A network and a picture as it gets it."""

    network: nn.Module  # in evaluation mode
    images: Tensor  # (1, 3, h, w) float32
    black: Tensor  # (1, 3, h, w) the same without content
    label: int  # the class that is asked about


@dataclass(frozen=True, slots=True)
class Look:
    """A map of one picture."""

    values: NDArray[np.float32]  # (h, w), >= 0, of as many places as the layer has
    layer: str = ""  # "": it is of pixels
    gap: float | None = None  # between the parts' sum and the score, of integrated gradients


def _grad_cam(subject: Subject, layer: str | None) -> Look:
    chosen = layer or last_map_layer(subject.network, subject.images)
    module = map_layer(subject.network, chosen, subject.images)
    labels = torch.tensor([subject.label], device=subject.images.device)
    return Look(_values(grad_cam(subject.network, module, subject.images, labels)[0]), chosen)


def _saliency(subject: Subject, _layer: str | None) -> Look:
    return Look(_values(saliency(subject.network, subject.images, subject.label)))


def _integrated_gradients(subject: Subject, _layer: str | None) -> Look:
    found = integrated_gradients(
        subject.network, subject.images, subject.label, baseline=subject.black
    )
    return Look(_values(found.values), gap=found.gap)


def _attention(subject: Subject, _layer: str | None) -> Look:
    layer, attention = soft_attention(subject.network)
    return Look(_values(attention_map(subject.network, attention, subject.images)[0]), layer)


LOOKS: Mapping[str, Callable[[Subject, str | None], Look]] = MappingProxyType(
    {
        "grad_cam": _grad_cam,
        "saliency": _saliency,
        "integrated_gradients": _integrated_gradients,
        "attention": _attention,
    }
)


def strongest_maps(subject: Subject, layer: str | None) -> tuple[str, Channels]:
    """Return a layer's name and its strongest channels; by default Grad-CAM's layer."""
    chosen = layer or last_map_layer(subject.network, subject.images)
    module = map_layer(subject.network, chosen, subject.images)
    return chosen, feature_maps(subject.network, module, subject.images, most=MOST_CHANNELS)


def strongest_filters(network: nn.Module, layer: str | None) -> tuple[str, Channels]:
    """Return a convolution's name and its strongest filters; by default the first one's."""
    chosen = layer or first_convolution(network)
    return chosen, filters(network, chosen, most=MOST_CHANNELS)


def _values(found: Tensor) -> NDArray[np.float32]:
    return found.float().cpu().numpy()
