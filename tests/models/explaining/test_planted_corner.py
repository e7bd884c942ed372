"""Every method points at the corner that the class is in."""

from typing import Any

import torch

from models.explaining.attention import attention_map, soft_attention
from models.explaining.grad_cam import grad_cam
from models.explaining.layers import last_map_layer, map_layer
from models.explaining.pixel_gradients import integrated_gradients, saliency

MOST = 0.8  # of a map's mass


def test_the_toy_knows_every_colour(toy: Any) -> None:
    with torch.no_grad():
        assert toy.network(toy.fresh.images).argmax(dim=1).tolist() == toy.fresh.labels.tolist()


def test_grad_cam_lights_the_corner(toy: Any) -> None:
    images, labels = toy.fresh
    layer = map_layer(toy.network, last_map_layer(toy.network, images), images)
    maps = grad_cam(toy.network, layer, images, labels)
    assert maps.shape[1:] == (8, 8)
    assert (toy.share_in_corner(maps) >= MOST).all()


def test_grad_cam_of_another_class_does_not(toy: Any) -> None:
    images, labels = toy.fresh
    layer = map_layer(toy.network, last_map_layer(toy.network, images), images)
    right = grad_cam(toy.network, layer, images, labels).sum(dim=(1, 2))
    wrong = grad_cam(toy.network, layer, images, (labels + 1) % 3).sum(dim=(1, 2))
    assert (wrong < right / 2).all()


def test_saliency_lights_the_corner(toy: Any) -> None:
    images, labels = toy.fresh
    maps = [
        saliency(toy.network, image[None], int(label))
        for image, label in zip(images, labels, strict=True)
    ]
    assert (toy.share_in_corner(torch.stack(maps)) >= MOST).all()


def test_integrated_gradients_light_the_corner(toy: Any) -> None:
    images, labels = toy.fresh
    found = integrated_gradients(
        toy.network, images[:1], int(labels[0]), baseline=torch.zeros_like(images[:1])
    )
    assert toy.share_in_corner(found.values[None]).item() >= MOST


def test_attention_lights_the_corner(attentive: Any) -> None:
    images, _ = attentive.fresh
    _, attention = soft_attention(attentive.network)
    maps = attention_map(attentive.network, attention, images)
    torch.testing.assert_close(maps.sum(dim=(1, 2)), torch.ones(len(images)))
    assert (attentive.share_in_corner(maps) >= MOST).all()
