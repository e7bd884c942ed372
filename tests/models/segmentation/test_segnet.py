from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torchvision.models import vgg16_bn  # type: ignore[import-untyped]
from torchvision.models.vgg import make_layers  # type: ignore[import-untyped]

from models.cost import count_parameters
from models.pretrained import WeightsSource
from models.segmentation.segnet import SegNet, load_encoder
from models.segmentation.settings import Upsampling
from models.segmentation.upsampling import max_pool
from models.segmentation.vgg_settings import SegNetSettings, segnet_size_rule

UPSAMPLINGS = get_args(Upsampling)
SMALL_VGG = [4, 4, "M", 8, 8, "M", 16, 16, 16, "M", 32, 32, 32, "M", 32, 32, 32, "M"]
COUNTS = {11: 29_449_355, 12: 29_449_932, 21: 29_455_125}


def network_of(**settings: Any) -> SegNet:
    torch.manual_seed(0)
    return SegNet(SegNetSettings.model_validate({"base_channels": 4, **settings}), 3)


@pytest.mark.parametrize(("classes", "expected"), COUNTS.items())
def test_parameter_counts_are_the_published_ones(classes: int, expected: int) -> None:
    with torch.device("meta"):
        assert count_parameters(SegNet(SegNetSettings(), classes)) == expected


def test_encoder_is_vgg16_with_batch_norm() -> None:
    with torch.device("meta"):
        ours, theirs = SegNet(SegNetSettings(), 12).encoder, vgg16_bn().features
    assert count_parameters(ours) == count_parameters(theirs) == 14_723_136


def test_decoder_mirrors_the_encoder() -> None:
    with torch.device("meta"):
        network = SegNet(SegNetSettings(), 12)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    channels = [(layer.in_channels, layer.out_channels) for layer in convolutions]
    assert len(channels) == 26
    mirrored = [(after, before) for before, after in channels[12::-1]]
    assert channels[13:-1] == mirrored[:-1]
    assert channels[-1] == (64, 12)


@pytest.mark.parametrize("size", [32, 64, 96, 160, 224])
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_output_has_the_images_size(upsampling: str, size: int) -> None:
    network = network_of(base_channels=1, upsampling=upsampling)
    assert network(torch.zeros(2, 3, size, size + 32)).shape == (2, 3, size, size + 32)


def test_decoder_gets_the_maxima_where_the_encoder_found_them() -> None:
    network = network_of().eval()
    pooled: list[Tensor] = []
    unpooled: list[Tensor] = []
    network.encoder[0].register_forward_hook(lambda *call: pooled.append(call[2]))
    network.decoder[-1].register_forward_pre_hook(lambda *call: unpooled.append(call[1][0]))
    with torch.no_grad():
        network(torch.randn(1, 3, 32, 32))
    before, after = pooled[0], unpooled[0]
    assert before.shape == after.shape
    assert after.any()
    squares = nn.functional.max_pool2d(before, 2).repeat_interleave(2, -2).repeat_interleave(2, -1)
    assert (before == squares)[after != 0].all()
    assert (nn.functional.avg_pool2d((after != 0).float(), 2) <= 1 / 4).all()


def test_size_that_cannot_be_halved_five_times_is_told_with_the_nearest() -> None:
    settings = SegNetSettings()
    assert segnet_size_rule(settings, 160) is None
    assert segnet_size_rule(settings, 150) == (
        "image size of segnet must be a multiple of 32 (5 poolings of 2), got 150; use 128 or 160"
    )
    assert str(segnet_size_rule(settings, 20)).endswith("got 20; use 32")


def test_pretrained_weights_need_the_published_width() -> None:
    with pytest.raises(ValidationError, match="pretrained 'imagenet' needs base_channels 64"):
        SegNetSettings(base_channels=32, pretrained="imagenet")


def test_encoder_computes_what_the_pretrained_classifier_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = nn.ModuleDict({"features": make_layers(SMALL_VGG, batch_norm=True)}).eval()
    file = tmp_path / "hub" / "checkpoints" / "vgg.pth"
    file.parent.mkdir(parents=True)
    torch.save({**classifier.state_dict(), "classifier.6.bias": torch.zeros(9)}, file)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    source = WeightsSource("https://example.invalid/vgg.pth", "vgg.pth")
    monkeypatch.setattr("models.segmentation.segnet.vgg16_source", lambda **_: source)

    network = network_of().eval()
    settings = SegNetSettings.model_construct(pretrained="imagenet")
    (loaded,) = load_encoder(network, settings)

    maps = images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        for stage in network.encoder:
            maps = max_pool(stage(maps))[0]
        assert torch.equal(maps, classifier["features"](images))
    assert maps.any()
    assert loaded.file == "vgg.pth"
