"""torchvision's weights in networks of clips; here random ones, in files of its form."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torchvision import models  # type: ignore[import-untyped]
from torchvision.models import video  # type: ignore[import-untyped]

from models.pretrained_settings import PretrainedModelSettings, pretrained_fault
from models.resolve import resolve
from models.video import i3d, s3d, single_frame, transformers, video_resnets
from models.video.catalog import VIDEO_NETWORKS
from models.video.inception_settings import I3DSettings, S3DSettings
from models.video.pixels import PixelStatistics, pixels_of
from models.video.single_stream_settings import SingleFrameSettings
from models.video.torchvision_settings import (
    MC3Settings,
    MViTSettings,
    R2Plus1DSettings,
    R3DSettings,
    Swin3DSettings,
)
from models.workbench import load_pretrained

PRETRAINED: tuple[tuple[PretrainedModelSettings, Any], ...] = (
    (R3DSettings(pretrained="kinetics400"), video.r3d_18),
    (MC3Settings(pretrained="kinetics400"), video.mc3_18),
    (R2Plus1DSettings(pretrained="kinetics400"), video.r2plus1d_18),
    (S3DSettings(pretrained="kinetics400"), video.s3d),
    (MViTSettings(pretrained="kinetics400", version="v1_b"), video.mvit_v1_b),
    (MViTSettings(pretrained="kinetics400"), video.mvit_v2_s),
    (Swin3DSettings(pretrained="kinetics400"), video.swin3d_t),
    (Swin3DSettings(pretrained="kinetics400", version="s"), video.swin3d_s),
    (Swin3DSettings(pretrained="kinetics400", version="b"), video.swin3d_b),
    (SingleFrameSettings(pretrained="imagenet", backbone="resnet18"), models.resnet18),
)
RENAMES: Mapping[str, Callable[[str], str | None]] = {
    "r3d_18": video_resnets.name_in_features,
    "mc3_18": video_resnets.name_in_features,
    "r2plus1d_18": video_resnets.name_in_features,
    "s3d": s3d.name_in_features,
    "mvit": transformers.name_in_features,
    "swin3d": transformers.name_in_features,
    "single_frame": single_frame.name_in_features,
}
Put = Callable[[Any, Mapping[str, Tensor]], None]


def built(settings: PretrainedModelSettings, classes: int = 3) -> nn.Module:
    torch.manual_seed(1)
    network: nn.Module = resolve(str(VIDEO_NETWORKS[settings.name].builder))(settings, classes)
    return network


def features(network: nn.Module) -> nn.Module:
    found = network.get_submodule("features")
    return found.network if isinstance(found, single_frame.OfPictures) else found


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Put weights where those of a torchvision network belong."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)

    def write(weights: Any, state: Mapping[str, Tensor]) -> None:
        torch.save(dict(state), cache / "weights")
        digest = hashlib.sha256((cache / "weights").read_bytes()).hexdigest()
        file = (cache / "weights").rename(cache / f"net-{digest[:8]}.pth")
        monkeypatch.setattr(weights.value, "url", f"http://127.0.0.1:1/{file.name}")

    return write


@pytest.mark.parametrize(("settings", "build"), PRETRAINED)
def test_names_and_shapes_in_a_file_are_those_of_all_layers_but_the_last(
    settings: PretrainedModelSettings, build: Any
) -> None:
    with torch.device("meta"):
        theirs, ours = build(weights=None).state_dict(), features(built(settings)).state_dict()
    rename = RENAMES[settings.name]
    named = {rename(name): value.shape for name, value in theirs.items()}
    named.pop(None)
    assert named == {name: value.shape for name, value in ours.items()}


@pytest.mark.parametrize(
    ("settings", "build", "weights", "last"),
    [
        (PRETRAINED[1][0], video.mc3_18, video.MC3_18_Weights.KINETICS400_V1, "fc"),
        (PRETRAINED[9][0], models.resnet18, models.ResNet18_Weights.IMAGENET1K_V1, "fc"),
    ],
)
def test_network_with_weights_sees_what_torchvisions_sees(
    settings: PretrainedModelSettings, build: Any, weights: Any, last: str, put: Put
) -> None:
    torch.manual_seed(7)
    theirs = build(weights=None, num_classes=3).eval()
    put(weights, theirs.state_dict())
    ours = built(settings).eval()
    (loaded,) = load_pretrained(ours, settings)
    assert loaded["url"].startswith("http://127.0.0.1:1/net-")
    output = ours.get_submodule("output")
    output.load_state_dict(theirs.get_submodule(last).state_dict())
    pixels = torch.rand(2, 3, 4, 40, 40)
    statistics = weights.transforms()
    mean, std = (torch.tensor(each).view(3, 1, 1, 1) for each in (statistics.mean, statistics.std))
    normalized = (pixels - mean) / std
    with torch.no_grad():
        if settings.name == "single_frame":
            expected = torch.stack([theirs(normalized[:, :, frame]) for frame in (1, 2)], dim=1)
            found = ours(pixels * 2 - 1).logits
        else:
            expected, found = theirs(normalized), ours(pixels * 2 - 1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_s3d_is_torchvisions() -> None:
    torch.manual_seed(7)
    theirs = video.s3d(weights=None).eval()
    ours = built(S3DSettings()).eval()
    features(ours).load_state_dict(theirs.features.state_dict())
    clips = torch.randn(1, 3, 8, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(features(ours)(clips), theirs.features(clips))


def test_swin_is_torchvisions() -> None:
    torch.manual_seed(7)
    ours = transformers.build_swin3d(Swin3DSettings(), 3).eval()
    with torch.device("meta"):  # weights need not be drawn
        theirs = video.swin3d_t(weights=None, num_classes=3).eval()
    theirs.load_state_dict(
        {
            name.removeprefix("features."): value
            for name, value in ours.state_dict().items()
            if not name.startswith("pixels.")
        },
        assign=True,
    )
    clips = torch.randn(1, 3, 4, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(clips), theirs(clips))


def test_stochastic_depth_of_swin_is_that_of_the_settings() -> None:
    with torch.device("meta"):
        network = transformers.build_swin3d(Swin3DSettings(stochastic_depth=0.3), 2)
    found = [each.p for each in network.modules() if type(each).__name__ == "StochasticDepth"]
    assert found == pytest.approx([0.3 * block / 11 for block in range(12)])


@pytest.fixture
def pictures() -> nn.Module:
    """Build GoogLeNet as torchvision's file has it, with heads that are left out here."""
    torch.manual_seed(7)
    network: nn.Module = models.googlenet(weights=None, aux_logits=True, init_weights=False)
    return network.eval()


class TestInflation:
    def test_each_filter_adds_up_to_the_pictures_over_time(
        self, pictures: nn.Module, put: Put
    ) -> None:
        put(models.GoogLeNet_Weights.IMAGENET1K_V1, pictures.state_dict())
        settings = I3DSettings(pretrained="imagenet")
        network = built(settings)
        drawn = torch.get_rng_state()
        assert len(load_pretrained(network, settings)) == 1
        assert torch.equal(torch.get_rng_state(), drawn)
        of_pictures = pictures.state_dict()
        for name, weights in features(network).state_dict().items():
            flat = weights.sum(2) if weights.ndim == 5 else weights
            torch.testing.assert_close(flat, of_pictures[name])

    def test_a_clip_that_stands_still_is_seen_as_the_picture(self, pictures: nn.Module) -> None:
        layers = features(built(I3DSettings())).eval()
        layers.load_state_dict(i3d.inflated(_features_of(pictures), layers))
        picture = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
        maps = picture.unsqueeze(2).expand(-1, -1, 32, -1, -1)
        with torch.no_grad():
            for ours, theirs in (
                ("conv1", "conv1"),
                ("pool1", "maxpool1"),
                ("conv2", "conv2"),
                ("conv3", "conv3"),
                ("pool2", "maxpool2"),
                ("inception3a", "inception3a"),
            ):
                maps = layers.get_submodule(ours)(maps)
                picture = pictures.get_submodule(theirs)(picture)
        # The frames at both ends see zeros beyond them.
        torch.testing.assert_close(maps[:, :, maps.shape[2] // 2], picture, rtol=1e-3, atol=1e-4)


def _features_of(pictures: nn.Module) -> dict[str, Tensor]:
    return {n: w for n, w in pictures.state_dict().items() if i3d.name_in_features(n) is not None}


class TestSettings:
    @pytest.mark.parametrize(("settings", "build"), PRETRAINED)
    def test_pixels_must_come_as_they_are(
        self, settings: PretrainedModelSettings, build: Any
    ) -> None:
        assert build is not None
        assert pretrained_fault(settings, is_normalized=False) is None
        message = pretrained_fault(settings, is_normalized=True)
        assert message is not None
        assert "remove data.normalize" in message

    def test_pixels_are_brought_to_the_statistics_of_the_weights(self) -> None:
        layer = pixels_of(video.R2Plus1D_18_Weights.KINETICS400_V1)
        black = layer(-torch.ones(1, 3, 1, 1, 1)).flatten()
        expected = [-0.43216 / 0.22803, -0.394666 / 0.22145, -0.37645 / 0.216989]
        torch.testing.assert_close(black, torch.tensor(expected))

    def test_pixels_stay_as_they_are_without_weights(self) -> None:
        clips = torch.rand(1, 3, 2, 4, 4) * 2 - 1
        assert torch.equal(PixelStatistics()(clips), clips)

    def test_statistics_go_along_with_the_weights(self) -> None:
        known = S3DSettings(pretrained="kinetics400")
        state, other = built(known).state_dict(), built(S3DSettings())
        other.load_state_dict(state)
        assert torch.equal(
            other.get_submodule("pixels").state_dict()["scale"], state["pixels.scale"]
        )
        assert not torch.equal(state["pixels.scale"], torch.ones(3, 1, 1, 1))

    def test_weights_fit_the_published_width_alone(self) -> None:
        with pytest.raises(ValidationError, match=r"'kinetics400' has width 1\.0, got 0\.5"):
            R3DSettings(pretrained="kinetics400", width=0.5)
        with pytest.raises(ValidationError, match="'imagenet' has sees rgb, got flow"):
            I3DSettings(pretrained="imagenet", sees="flow")
