from typing import Any, get_args

import pytest
import segmentation_models_pytorch as smp  # type: ignore[import-untyped]
import torch
from segmentation_models_pytorch.encoders import encoders  # type: ignore[import-untyped]
from torch import nn

from models.catalog import MODELS
from models.cost import count_parameters
from models.resolve import resolve
from models.segmentation.encoder_settings import DilatableEncoder, PoolingEncoder

NAMES = ("unet_encoder", "unetplusplus", "fpn", "deeplabv3plus")
DILATABLE, POOLING = get_args(DilatableEncoder), get_args(PoolingEncoder)


def built(name: str, channels: int, **settings: Any) -> nn.Module:
    entry = MODELS[name]
    network: nn.Module = resolve(str(entry.builder))(
        entry.settings.model_validate({"name": name, **settings}), channels
    )
    return network


def size_fault(name: str, size: int, **settings: Any) -> str | None:
    entry = MODELS[name]
    return entry.size_rule(entry.settings.model_validate({"name": name, **settings}), size)


@pytest.mark.parametrize(
    ("name", "settings", "channels", "expected"),
    [
        ("unet_encoder", {"encoder": "resnet34"}, 1, 24_436_369),
        ("unet_encoder", {"encoder": "vgg16_bn"}, 1, 23_756_689),
        ("deeplabv3plus", {"encoder": "resnet101"}, 21, 45_674_853),
        ("deeplabv3plus", {"encoder": "resnet101", "output_stride": 8}, 21, 45_674_853),
    ],
)
def test_parameter_counts_are_the_published_ones(
    name: str, settings: dict[str, Any], channels: int, expected: int
) -> None:
    with torch.device("meta"):
        assert count_parameters(built(name, channels, **settings)) == expected


def test_encoders_are_those_of_the_library_with_imagenet_weights() -> None:
    assert len({*DILATABLE, *POOLING}) == len(DILATABLE) + len(POOLING)
    families = ("resnet", "resnext", "se_res", "efficientnet", "mobilenet", "vgg", "densenet")
    known = {
        name
        for name, entry in encoders.items()
        if name.startswith(families) and "imagenet" in entry["pretrained_settings"]
    }
    assert known == {*DILATABLE, *POOLING}


@pytest.mark.slow
@pytest.mark.parametrize("encoder", [*DILATABLE, *POOLING])
def test_every_encoder_works_at_an_odd_size(encoder: str) -> None:
    with torch.device("meta"):
        network = built("unet_encoder", 2, encoder=encoder).eval()
        assert network(torch.empty(1, 3, 97, 97)).shape == (1, 2, 97, 97)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "stride"), [("resnet18", 8), *((encoder, 16) for encoder in DILATABLE)]
)
def test_every_dilatable_encoder_keeps_its_stride(encoder: str, stride: int) -> None:
    with torch.device("meta"):
        network = built("deeplabv3plus", 2, encoder=encoder, output_stride=stride).eval()
        maps = network.get_submodule("encoder")(torch.empty(1, 3, 80, 80))
    assert maps[-1].shape[-1] == 80 // stride


@pytest.mark.parametrize("encoder", ["vgg16_bn", "densenet121"])
def test_encoders_that_pool_cannot_be_dilated(encoder: str) -> None:
    assert encoder in POOLING
    with pytest.raises(ValueError, match="do not support dilated mode"), torch.device("meta"):
        smp.DeepLabV3Plus(encoder, encoder_weights=None)


@pytest.mark.parametrize(("stride", "rates"), [(16, [6, 12, 18]), (8, [12, 24, 36])])
def test_atrous_rates_are_those_of_the_paper(stride: int, rates: list[int]) -> None:
    with torch.device("meta"):
        network = built("deeplabv3plus", 1, encoder="resnet18", output_stride=stride)
    decoder = network.get_submodule("decoder")
    found = [
        layer.dilation[0]
        for layer in decoder.modules()
        if isinstance(layer, nn.Conv2d) and layer.dilation[0] > 1
    ]
    assert found == rates


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("unet_encoder", {"encoder": "resnet18"}),
        ("unet_encoder", {"encoder": "densenet121"}),
        ("unetplusplus", {"encoder": "resnet18"}),
        ("fpn", {"encoder": "resnet18"}),
        ("deeplabv3plus", {"encoder": "resnet18"}),
        ("deeplabv3plus", {"encoder": "mobilenet_v2", "output_stride": 8}),
    ],
)
def test_size_rule_agrees_with_the_network(name: str, settings: dict[str, Any]) -> None:
    with torch.device("meta"):
        network = built(name, 1, **settings).eval()
    fitting = [size for size in range(64, 162) if size_fault(name, size, **settings) is None]
    for size in (*fitting[:3], *fitting[-2:]):  # five of them
        assert network(torch.empty(1, 3, size, size, device="meta")).shape[-2:] == (size, size)
    for size in {64, 75, 97, 130, 150} - {*fitting}:
        with pytest.raises(RuntimeError, match=r"Wrong input shape"):
            network(torch.empty(1, 3, size, size, device="meta"))


@pytest.mark.parametrize("name", NAMES)
def test_smallest_image_trains_alone(name: str) -> None:
    least = next(size for size in range(1, 200) if size_fault(name, size) is None)
    torch.manual_seed(0)
    logits = built(name, 2, encoder="resnet18").train()(torch.randn(1, 3, least, least))
    logits.square().mean().backward()
    assert logits.shape == (1, 2, least, least)
    assert logits.isfinite().all()


@pytest.mark.parametrize(
    ("name", "settings", "size", "message"),
    [
        (
            "unet_encoder",
            {},
            50,
            "image size of unet_encoder must be at least 64, for 2 pixels at stride 32, got 50; "
            "use 64",
        ),
        (
            "fpn",
            {},
            150,
            "image size of fpn must be a multiple of 32, at least 64, got 150; use 128 or 160",
        ),
        (
            "deeplabv3plus",
            {},
            150,
            "image size of deeplabv3plus must be a multiple of 16, at least 32, got 150; "
            "use 144 or 160",
        ),
        (
            "deeplabv3plus",
            {"output_stride": 8},
            150,
            "image size of deeplabv3plus must be a multiple of 8, at least 16, got 150; "
            "use 144 or 152",
        ),
        ("unet_encoder", {}, 150, None),
    ],
)
def test_impossible_size_is_told_with_the_nearest_that_work(
    name: str, settings: dict[str, Any], size: int, message: str | None
) -> None:
    assert size_fault(name, size, **settings) == message
