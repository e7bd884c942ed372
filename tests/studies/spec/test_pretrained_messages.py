"""Pretrained weights expect pixels that are normalised as those they were trained on."""

from collections.abc import Callable

import pytest

Heads = Callable[..., list[str]]
MODEL = "{name: unet, base_channels: 8}"
PRETRAINED = "{name: unet_encoder, pretrained: imagenet}"
SIZE = "image_size: 64}"
RATES = "training.learning_rate: [1e-3, 1e-4]"
FAULT = (
    "weights pretrained on ImageNet expect its pixel statistics, and pixels are scaled to "
    "[-1, 1] without `normalize`; set data.normalize: imagenet (or a mean and std of your own), "
    "or model.pretrained: none"
)


def test_pretrained_network_needs_normalised_pixels(problems_after: Heads) -> None:
    assert problems_after(MODEL, PRETRAINED) == [f"4:41: model.pretrained: {FAULT}"]


@pytest.mark.parametrize(
    "normalize", ["imagenet", "{mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}"]
)
def test_any_normalisation_will_do(
    load: Callable[..., object], study_text: str, normalize: str
) -> None:
    text = study_text.replace(SIZE, f"image_size: 64, normalize: {normalize}}}")
    load(text.replace(MODEL, PRETRAINED))


def test_random_weights_need_none(load: Callable[..., object], study_text: str) -> None:
    load(study_text.replace(MODEL, "{name: unet_encoder}"))


def test_stage_that_tries_pretrained_weights_needs_it_too(
    problems: Heads, study_text: str
) -> None:
    text = study_text.replace(MODEL, "{name: unet_encoder}")
    tried = "model.pretrained: [none, imagenet]"
    assert problems(text.replace(RATES, tried)) == [
        f"10:39: search.tree.0.vary.model.pretrained.1: {FAULT}"
    ]


def test_stage_that_leaves_pixels_as_they_are_is_told(problems: Heads, study_text: str) -> None:
    text = study_text.replace(SIZE, "image_size: 64, normalize: imagenet}")
    text = text.replace(MODEL, PRETRAINED).replace(RATES, "data.normalize: [imagenet, null]")
    assert problems(text) == [f"10:41: search.tree.0.vary.data.normalize.1: {FAULT}"]
