from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.vgg import make_layers  # type: ignore[import-untyped]

from models.cost import count_parameters
from models.pretrained import WeightsSource
from models.segmentation.fcn import FCN, load_classifier
from models.segmentation.vgg_settings import FCNSettings

SMALL_VGG = [2, 2, "M", 4, 4, "M", 8, 8, 8, "M", 16, 16, 16, "M", 16, 16, 16, "M"]
STRIDES = (8, 16, 32)


def network_of(stride: int, **settings: Any) -> FCN:
    torch.manual_seed(0)
    small = {"base_channels": 2, "dropout": 0.0, "stride": stride}
    return FCN(FCNSettings.model_validate({**small, **settings}), 2)


def scoring(stride: int) -> FCN:
    """Return a network whose scores, which start at zero, say something."""
    network = network_of(stride)
    for score in network.scores:
        nn.init.normal_(score.get_parameter("weight"))
    return network.eval()


@pytest.mark.parametrize(
    ("stride", "expected", "upsampling"),
    [
        (32, 136_152_917, 1_806_336),
        (16, 134_815_994, 458_640),
        (8, 134_489_759, 127_008),
    ],
)
def test_parameter_counts_are_the_published_ones(
    stride: int, expected: int, upsampling: int
) -> None:
    with torch.device("meta"):
        network = FCN(FCNSettings.model_validate({"stride": stride}), 21)
    assert count_parameters(network) == expected
    assert count_parameters(network.up) == upsampling


@pytest.mark.parametrize("size", [1, 33, 64, 150, 255])
@pytest.mark.parametrize("stride", STRIDES)
def test_output_has_the_images_size(stride: int, size: int) -> None:
    network = network_of(stride, base_channels=1)
    assert network(torch.zeros(1, 3, size, size + 7)).shape == (1, 2, size, size + 7)


@pytest.mark.parametrize("stride", STRIDES)
def test_maps_are_cropped_to_the_part_under_the_image(stride: int) -> None:
    # With kernels that are their own mirror image, and 58 pixels, which the padding makes a
    # multiple of 32, a mirrored image gives mirrored logits if no crop is off by a pixel.
    network = scoring(stride)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = (layer.weight.data + layer.weight.data.flip(-1)) / 2
    images = torch.randn(1, 3, 58, 58, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits, mirrored = network(images), network(images.flip(-1))
    assert logits.std() > 0
    torch.testing.assert_close(
        mirrored.flip(-1), logits, rtol=1e-4, atol=1e-5 * float(logits.std())
    )


@pytest.mark.parametrize("stride", STRIDES)
def test_upsampling_starts_as_bilinear_interpolation(stride: int) -> None:
    layer = network_of(stride).up[-1]
    scores = torch.randn(1, 2, 5, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        grown = layer(scores)
    half = stride // 2
    expected = functional.interpolate(scores, scale_factor=stride, mode="bilinear")
    inside = (..., slice(stride, -stride), slice(stride, -stride))
    torch.testing.assert_close(grown[..., half:-half, half:-half][inside], expected[inside])


def test_scores_start_at_zero() -> None:
    network = network_of(8)
    assert not network(torch.randn(1, 3, 32, 32)).any()
    assert len(network.scores) == 3


def test_shallower_maps_are_added_with_smaller_strides() -> None:
    def reached(stride: int) -> list[bool]:
        network = scoring(stride)
        loss = network(torch.randn(1, 3, 32, 32)).square().sum()
        loss.backward()
        return [bool(score.get_parameter("weight").grad.any()) for score in network.scores]  # type: ignore[union-attr]

    assert [reached(stride) for stride in (32, 16, 8)] == [[True], [True] * 2, [True] * 3]


@pytest.mark.parametrize(("final_upsampling", "is_learned"), [("learned", True), ("fixed", False)])
def test_last_upsampling_is_learned_or_stays(final_upsampling: str, is_learned: bool) -> None:
    network = network_of(8, final_upsampling=final_upsampling)
    learned = [layer.get_parameter("weight").requires_grad for layer in network.up]
    assert learned == [True, True, is_learned]


def test_activations_are_dropped_in_training_alone() -> None:
    network = network_of(32, base_channels=16, dropout=0.5)
    seen: list[Tensor] = []
    network.scores[0].register_forward_pre_hook(lambda *call: seen.append(call[1][0]))
    with torch.no_grad():
        network.eval()(torch.randn(1, 3, 64, 64))
        network.train()(torch.randn(1, 3, 64, 64))
    kept, dropped = seen
    assert (dropped == 0).float().mean() > (kept == 0).float().mean() + 0.1


def test_hidden_layers_compute_what_the_pretrained_classifier_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = [nn.Linear(16 * 49, 128), nn.ReLU(), nn.Dropout(), nn.Linear(128, 128), nn.ReLU()]
    classifier = nn.ModuleDict(
        {"features": make_layers(SMALL_VGG), "classifier": nn.Sequential(*connected)}
    ).eval()
    file = tmp_path / "hub" / "checkpoints" / "vgg.pth"
    file.parent.mkdir(parents=True)
    torch.save({**classifier.state_dict(), "classifier.6.bias": torch.zeros(9)}, file)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    source = WeightsSource("https://example.invalid/vgg.pth", "vgg.pth")
    monkeypatch.setattr("models.segmentation.fcn.vgg16_source", lambda **_: source)

    network = network_of(8).eval()
    (loaded,) = load_classifier(network, FCNSettings.model_construct(pretrained="imagenet"))

    first = network.get_submodule("stages.0.0")
    first.padding = (1, 1)  # type: ignore[assignment]  # as the classifier's, for this once
    maps = images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        for stage in network.stages:
            maps = functional.max_pool2d(stage(maps), 2)
        expected = classifier["classifier"](classifier["features"](images).flatten(1))
        found = network.hidden(maps)
    torch.testing.assert_close(found, expected[:, :, None, None])
    assert found.any()
    assert loaded.file == "vgg.pth"
