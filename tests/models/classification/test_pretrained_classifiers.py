"""Weights of ImageNet: every one of the file finds its place, and classes go along by name."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision import models  # type: ignore[import-untyped]

from models import pretrained
from models.classification.catalog import CLASSIFIERS
from models.classification.pixels import pixels_in_unit_range
from models.classification.pretrained_classes import imagenet
from models.classification.torchvision_settings import MobileNetV3Settings
from models.pretrained import (
    LoadedWeights,
    PretrainedWeightsError,
    WeightsSource,
    taking_classes,
)
from models.resolve import resolve
from models.settings import ModelSettings
from models.starting import load_pretrained_classes
from models.written import never_written, write_counts

# Name in the catalog, settings, and the published network of 1,000 classes.
FILES: tuple[tuple[str, Mapping[str, Any], Callable[[], nn.Module]], ...] = (
    ("alexnet", {"form": "torchvision"}, models.alexnet),
    ("vgg", {"depth": 16}, models.vgg16),
    ("vgg", {"depth": 11, "batch_norm": True}, models.vgg11_bn),
    ("resnet", {"depth": 50}, models.resnet50),
    ("googlenet", {}, lambda: models.GoogLeNet(init_weights=False)),
    ("googlenet", {"auxiliary_weight": 0}, lambda: models.GoogLeNet(init_weights=False)),
    ("inception_v3", {}, lambda: models.Inception3(init_weights=False)),
    ("inception_v3", {"auxiliary_weight": 0}, lambda: models.Inception3(init_weights=False)),
    ("inception_v4", {}, lambda: timm.create_model("inception_v4")),
    ("xception", {}, lambda: timm.create_model("legacy_xception")),
    ("mobilenet_v1", {}, lambda: timm.create_model("mobilenetv1_100")),
    ("mobilenet_v2", {}, models.mobilenet_v2),
    ("mobilenet_v3", {"version": "large"}, models.mobilenet_v3_large),
    ("efficientnet", {"version": "b3"}, models.efficientnet_b3),
)
SMALL = MobileNetV3Settings(version="small", pretrained="imagenet")


def settings_of(name: str, settings: Mapping[str, Any]) -> ModelSettings:
    return CLASSIFIERS[name].settings.model_validate(
        {"name": name, "pretrained": "imagenet", **settings}
    )


def build(settings: ModelSettings, classes: int) -> nn.Module:
    network: nn.Module = resolve(str(CLASSIFIERS[settings.name].builder))(settings, classes)
    return network


@pytest.fixture
def of_file(monkeypatch: pytest.MonkeyPatch) -> Callable[[nn.Module], None]:
    """Return what makes a network's weights those of every file, without any file."""

    def set_network(network: nn.Module) -> None:
        def read(
            source: WeightsSource, _read: object, *, blank: object
        ) -> tuple[dict[str, Tensor], LoadedWeights]:
            assert blank
            return network.state_dict(), LoadedWeights(source.name, "", source.url)

        monkeypatch.setattr(pretrained, "read_fetched", read)

    return set_network


@pytest.fixture
def on_meta() -> Iterator[None]:
    with torch.device("meta"):
        yield


@pytest.mark.usefixtures("on_meta")
@pytest.mark.parametrize(("name", "changes", "published"), FILES)
class TestPlaces:
    @pytest.mark.parametrize("classes", [5, 1000])
    def test_all_but_the_layers_of_classes_are_given_weights(
        self,
        name: str,
        changes: Mapping[str, Any],
        published: Callable[[], nn.Module],
        of_file: Callable[[nn.Module], None],
        classes: int,
    ) -> None:
        of_file(published())
        settings = settings_of(name, changes)
        network = build(settings, classes)
        since = write_counts(network)
        resolve(str(CLASSIFIERS[name].pretrain))(network, settings)
        rows: Any = network.class_rows
        expected = {f"{each.layer}.{kind}" for each in rows for kind in ("weight", "bias")}
        assert set(never_written(network, since)) == expected

    def test_a_network_of_the_files_classes_is_given_all(
        self,
        name: str,
        changes: Mapping[str, Any],
        published: Callable[[], nn.Module],
        of_file: Callable[[nn.Module], None],
    ) -> None:
        of_file(published())
        settings = settings_of(name, changes)
        network = build(settings, 1000)
        since = write_counts(network)
        with taking_classes():
            resolve(str(CLASSIFIERS[name].pretrain))(network, settings)
        assert never_written(network, since) == []


class TestClasses:
    @pytest.fixture
    def theirs(self, of_file: Callable[[nn.Module], None]) -> nn.Module:
        torch.manual_seed(2)
        network: nn.Module = models.mobilenet_v3_small(weights=None)
        of_file(network)
        return network

    def test_rows_of_known_classes_are_carried_over_by_name(self, theirs: nn.Module) -> None:
        network = build(SMALL, 3)
        before = network.get_parameter("output.weight").detach().clone()
        (loaded,) = load_pretrained_classes(network, SMALL, ("bee", "ant", "our own"))
        rows = theirs.get_parameter("classifier.3.weight")
        ours = network.get_parameter("output.weight")
        assert torch.equal(ours[0], rows[imagenet().index("bee")])
        assert torch.equal(ours[1], rows[imagenet().index("ant")])
        assert torch.equal(ours[2], before[2])
        assert (loaded["classes"], loaded["new_classes"]) == ("bee, ant", "our own")

    def test_logits_of_known_classes_are_those_of_the_published_network(
        self, theirs: nn.Module
    ) -> None:
        network = build(SMALL, 2)
        load_pretrained_classes(network, SMALL, ("bee", "ant"))
        picture = torch.randn(1, 3, 64, 64)
        with torch.no_grad():
            ours, expected = network.eval()(picture), theirs.eval()(picture)
        places = [imagenet().index(name) for name in ("bee", "ant")]
        torch.testing.assert_close(ours, expected[:, places], rtol=1e-4, atol=1e-5)

    def test_a_thousand_other_classes_start_anew(
        self, theirs: nn.Module, caplog: pytest.LogCaptureFixture
    ) -> None:
        network = build(SMALL, 1000)
        before = network.get_parameter("output.weight").detach().clone()
        load_pretrained_classes(network, SMALL, [f"fungus {number}" for number in range(1000)])
        first = "features.0.0.weight"
        assert torch.equal(network.features.get_parameter(first), theirs.get_parameter(first))  # type: ignore[union-attr]
        assert torch.equal(network.get_parameter("output.weight"), before)
        assert "knows no class named fungus 0, fungus 1" in caplog.text

    def test_imagenets_classes_take_their_rows_along_in_any_order(self, theirs: nn.Module) -> None:
        network = build(SMALL, 1000)
        load_pretrained_classes(network, SMALL, imagenet()[::-1])
        rows = theirs.get_parameter("classifier.3.weight")
        assert torch.equal(network.get_parameter("output.weight"), rows.flip(0))

    def test_all_classes_are_known_once(self) -> None:
        assert len(set(imagenet())) == 1000


def test_weights_of_other_units_see_pixels_in_them() -> None:
    # White and black, normalised by ImageNet's statistics, are 1 and -1 to the Inceptions.
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = torch.stack([(1 - mean) / std, (0 - mean) / std]).view(2, 3, 1, 1)
    seen = pixels_in_unit_range(is_pretrained=True)(pixels).flatten(1)
    torch.testing.assert_close(seen, torch.tensor([[1.0] * 3, [-1.0] * 3]), rtol=0, atol=1e-6)


def test_without_weights_pixels_stay_as_they_are() -> None:
    pixels = torch.randn(2, 3, 4, 4)
    assert torch.equal(pixels_in_unit_range(is_pretrained=False)(pixels), pixels)


def test_absent_weights_are_told_with_where_to_put_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = models.MobileNet_V3_Small_Weights.IMAGENET1K_V1.value
    name = f"net-{hashlib.sha256(b'').hexdigest()[:8]}.pth"
    monkeypatch.setattr(weights, "url", f"http://127.0.0.1:1/{name}")
    network = build(SMALL, 2)
    with pytest.raises(PretrainedWeightsError) as caught:
        resolve(str(CLASSIFIERS["mobilenet_v3"].pretrain))(network, SMALL)
    assert str(tmp_path / "hub" / "checkpoints" / name) in str(caught.value)
    assert "put the file there by hand, or set model.pretrained: none" in str(caught.value)
