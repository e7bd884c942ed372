"""VGG-16's weights in streams of colours and motion; narrow ones, of the same form."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torchvision.models import VGG16_Weights, vgg16  # type: ignore[import-untyped]

from models.pretrained_settings import pretrained_fault
from models.video.stream_weights import start_fusion, start_trunk, vgg16_layers
from models.video.towers import Tower, vgg16_tower
from models.video.two_stream import TwoStream, vgg16_pixels
from models.video.two_stream_fusion import TwoStreamFusion
from models.video.two_stream_settings import TwoStreamFusionSettings, TwoStreamSettings


def pretrained() -> Tower:
    torch.manual_seed(9)
    return vgg16_tower(3, 1, width=0.03, dropout=0.0)


def test_every_layer_of_torchvision_but_the_last_has_its_place() -> None:
    with torch.device("meta"):
        theirs = vgg16(weights=None).state_dict()
        ours = vgg16_tower(3, 101, width=1, dropout=0.0).trunk.state_dict()
    layers = vgg16_layers()
    named = {
        f"{layers[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}": value.shape
        for name, value in theirs.items()
        if not name.startswith("classifier.6")
    }
    assert named == {name: value.shape for name, value in ours.items()}
    assert list(named) == list(ours)  # in the same order, so that equal shapes are not exchanged


def test_motion_starts_from_the_mean_over_colours() -> None:
    settings = TwoStreamSettings(backbone="vgg16", width=0.03, dropout=0.0, flow_frames=2)
    network, tower = TwoStream(settings, 4), pretrained()
    for stream in network.streams.values():
        start_trunk(stream.trunk, tower.trunk)
    pictures = torch.rand(2, 3, 40, 40)
    assert torch.equal(network.spatial.trunk(pictures), tower.trunk(pictures))
    grey = pictures[:, :1]
    # Equal channels of any number: the mean over colours, times how many there are.
    scaled = network.temporal.trunk((grey * 3 / 4).expand(-1, 4, -1, -1))
    expected = tower.trunk(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(scaled, expected, rtol=1e-4, atol=1e-5)


def test_fused_streams_and_heads_start_alike() -> None:
    settings = TwoStreamFusionSettings(width=0.03, chunks=1, flow_frames=2, dropout=0.0)
    network, tower = TwoStreamFusion(settings, 4), pretrained()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    start_fusion(network, tower.trunk)
    changed = {
        ".".join(name.split(".")[:2])
        for name, value in network.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert not any(name.startswith(("fuse.", "fused_head.scores")) for name in changed)
    pictures = torch.rand(1, 3, 40, 40)
    convolved = tower.trunk.get_submodule("0.0")(pictures)
    assert torch.equal(network.spatial(pictures), convolved)
    pooled = torch.nn.functional.max_pool2d(convolved, 2)
    for head in (network.fused_head, network.temporal_head):
        assert torch.equal(head.trunk(pooled), tower.trunk(pictures))


def test_colours_are_normalised_as_torchvision_does() -> None:
    pixels = torch.rand(1, 3, 1, 4, 4)
    statistics = VGG16_Weights.IMAGENET1K_V1.transforms()
    mean, std = (torch.tensor(each).view(3, 1, 1, 1) for each in (statistics.mean, statistics.std))
    torch.testing.assert_close(vgg16_pixels("imagenet")(pixels * 2 - 1), (pixels - mean) / std)
    assert torch.equal(vgg16_pixels("none")(pixels), pixels)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"pretrained": "imagenet"}, "has backbone vgg16, got cnn_m_2048"),
        ({"pretrained": "imagenet", "backbone": "vgg16", "width": 0.5}, "has width 1.0, got 0.5"),
    ],
)
def test_pretrained_weights_need_the_network_they_are_of(
    settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        TwoStreamSettings.model_validate(settings)


def test_pretrained_streams_need_pixels_that_were_not_normalised() -> None:
    settings = TwoStreamFusionSettings(pretrained="imagenet")
    assert pretrained_fault(settings, is_normalized=False) is None
    assert "remove data.normalize" in str(pretrained_fault(settings, is_normalized=True))
