"""Methods point at the corner that the class is in, of a network that learned, and of no other.

Saliency is not among them: it is large wherever a change would matter, here at every place.
"""

from typing import Any

import torch
from torch import Tensor, nn

from models.explaining.attention import attention_map, soft_attention
from models.explaining.grad_cam import grad_cam
from models.explaining.layers import last_map_layer, map_layer
from models.explaining.pixel_gradients import integrated_gradients

# Shares of a map's mass in the corner: the area is a quarter of the map of 8 x 8 places.
MOST, MUCH, LITTLE = 0.8, 0.5, 0.3


def cams(network: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    layer = map_layer(network, last_map_layer(network, images), images)
    return grad_cam(network, layer, images, classes)


def attentions(network: nn.Module, images: Tensor) -> Tensor:
    _, attention = soft_attention(network)
    maps: Tensor = attention_map(network, attention, images)
    return maps


def part_sizes(network: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """Return how large each pixel's integrated gradients are, for the class or against it."""
    found = [
        integrated_gradients(
            network, image[None], int(label), baseline=torch.zeros_like(image[None])
        ).values
        for image, label in zip(images, classes, strict=True)
    ]
    return torch.stack(found)


def test_the_toys_know_every_colour(toy: Any, attentive: Any) -> None:
    for each in (toy, attentive):
        with torch.no_grad():
            assert each.trained(each.fresh.images).argmax(dim=1).equal(each.fresh.labels)


def test_grad_cam_lights_the_corner(toy: Any) -> None:
    maps = cams(toy.trained, *toy.fresh)
    assert maps.shape[1:] == (8, 8)
    shares = toy.share_in_corner(maps)
    assert shares.mean() >= MOST
    assert (shares >= MUCH).all()


def test_grad_cam_of_an_untrained_network_does_not(toy: Any) -> None:
    assert toy.share_in_corner(cams(toy.untrained, *toy.fresh)).mean() <= LITTLE


def test_grad_cam_of_another_class_is_dark(toy: Any) -> None:
    images, labels = toy.fresh
    right = cams(toy.trained, images, labels).sum(dim=(1, 2))
    wrong = cams(toy.trained, images, (labels + 1) % 3).sum(dim=(1, 2))
    assert (wrong < right / 2).all()


def test_half_of_the_size_of_integrated_gradients_is_in_the_corner(toy: Any) -> None:
    images, labels = (each[:12] for each in toy.fresh)
    assert toy.share_in_corner(part_sizes(toy.trained, images, labels)).mean() >= MUCH
    assert toy.share_in_corner(part_sizes(toy.untrained, images, labels)).mean() <= LITTLE


def test_attention_lights_the_corner(attentive: Any) -> None:
    maps = attentions(attentive.trained, attentive.fresh.images)
    torch.testing.assert_close(maps.sum(dim=(1, 2)), torch.ones(len(maps)))
    assert attentive.share_in_corner(maps).mean() >= MOST


def test_attention_of_an_untrained_network_does_not(attentive: Any) -> None:
    maps = attentions(attentive.untrained, attentive.fresh.images)
    assert attentive.share_in_corner(maps).mean() <= LITTLE
