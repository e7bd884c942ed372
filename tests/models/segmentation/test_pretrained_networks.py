import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models  # type: ignore[import-untyped]

from models.pretrained import PretrainedWeightsError
from models.scoring import score_test
from models.segmentation.encoder_networks import (
    build_unet_encoder,
    encoder_source,
    load_encoder,
)
from models.segmentation.encoder_settings import UNetEncoderSettings
from models.segmentation.torchvision_networks import (
    BACKBONES,
    build_lraspp,
    load_backbone,
    name_in_backbone,
)
from models.segmentation.torchvision_settings import LRASPPSettings
from models.session import Interrupted
from models.training import train
from models.workbench import load_pretrained

RESNET18 = UNetEncoderSettings(encoder="resnet18", pretrained="imagenet")
LRASPP = LRASPPSettings(pretrained="imagenet")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder where pretrained weights are kept, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def resnet18(cache: Path) -> Path:
    """Put random weights where those of ImageNet belong, and return the file."""
    torch.manual_seed(7)
    encoder = build_unet_encoder(RESNET18, 1).get_submodule("encoder")
    file = cache / encoder_source("resnet18", "imagenet").name
    save_file(encoder.state_dict(), file)
    return file


@pytest.fixture
def mobilenet(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put random weights where those of ImageNet belong, and return the file."""
    torch.manual_seed(7)
    weights = models.mobilenet_v3_large(weights=None).state_dict()
    # As torchvision's older files have it: without the counters of batch normalisation.
    torch.save({k: v for k, v in weights.items() if "num_batches" not in k}, cache / "weights")
    digest = hashlib.sha256((cache / "weights").read_bytes()).hexdigest()
    file = (cache / "weights").rename(cache / f"net-{digest[:8]}.pth")
    entry = BACKBONES["mobilenet_v3_large"].weights.value
    monkeypatch.setattr(entry, "url", f"http://127.0.0.1:1/{file.name}")
    return file


@pytest.mark.parametrize("backbone", sorted(BACKBONES))
def test_names_in_a_file_are_those_of_the_backbone(backbone: str) -> None:
    prefix = BACKBONES[backbone].prefix
    with torch.device("meta"):
        classifier = getattr(models, backbone)(weights=None)
        network = getattr(
            models.segmentation,
            f"{'deeplabv3' if 'mobile' in backbone else 'fcn'}_{backbone}",
        )(weights=None, weights_backbone=None)
    named = {name_in_backbone(name, prefix=prefix) for name in classifier.state_dict()}
    assert named - {None} == set(network.backbone.state_dict())


def test_backbone_alone_is_pretrained(mobilenet: Path) -> None:
    torch.manual_seed(1)
    network = build_lraspp(LRASPP, 2)
    head = {name: value.clone() for name, value in network.classifier.state_dict().items()}
    (loaded,) = load_backbone(network, LRASPP)
    given = network.backbone.state_dict()
    for name, value in torch.load(mobilenet, weights_only=True).items():
        if name.startswith("features."):
            assert torch.equal(given[name.removeprefix("features.")], value)
    assert all(torch.equal(network.classifier.state_dict()[name], head[name]) for name in head)
    assert loaded.sha256 == hashlib.sha256(mobilenet.read_bytes()).hexdigest()


def test_encoder_alone_is_pretrained(resnet18: Path) -> None:
    torch.manual_seed(1)
    network = build_unet_encoder(RESNET18, 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    (loaded,) = load_encoder(network, RESNET18)
    torch.manual_seed(7)
    expected = build_unet_encoder(RESNET18, 1).get_submodule("encoder").state_dict()
    for name, value in network.state_dict().items():
        is_encoder = name.startswith("encoder.")
        given = expected[name.removeprefix("encoder.")] if is_encoder else before[name]
        assert torch.equal(value, given)
    assert loaded.file == resnet18.name == "smp-hub.resnet18.imagenet.3f2325ff.safetensors"
    assert loaded.url == (
        "https://huggingface.co/smp-hub/resnet18.imagenet/resolve/"
        "3f2325ff978283d47aa6a1d6878ca20565622683/model.safetensors"
    )


def test_network_that_is_not_pretrained_needs_no_file(cache: Path) -> None:
    settings = UNetEncoderSettings(encoder="resnet18")
    assert load_pretrained(build_unet_encoder(settings, 1), settings) == []
    assert list(cache.iterdir()) == []


class TestTraining:
    @pytest.fixture
    def cell(self, attempts: Callable[..., Any], tiny_data: Callable[..., Any]) -> Any:
        # So small a learning rate that a training ends with the weights that it started from.
        training = {"optimizer": "sgd", "learning_rate": 1e-9, "epochs": 1, "batch_size": 2}
        return attempts(model=LRASPP, training=training, data=tiny_data(count=3, size=32))

    def test_starts_from_them_and_says_so(self, cell: Any, mobilenet: Path) -> None:
        result = train(cell.session())
        ours = torch.load(cell.folders[0] / result.files["weights"], weights_only=True)
        theirs = torch.load(mobilenet, weights_only=True)
        torch.testing.assert_close(
            ours["backbone.0.0.weight"], theirs["features.0.0.weight"], rtol=0, atol=1e-6
        )
        digest = hashlib.sha256(mobilenet.read_bytes()).hexdigest()
        url = f"http://127.0.0.1:1/{mobilenet.name}"
        assert cell.effective[0]["pretrained"] == [
            {"file": mobilenet.name, "sha256": digest, "url": url}
        ]

    def test_resumes_and_scores_without_the_file(self, cell: Any, mobilenet: Path) -> None:
        with pytest.raises(Interrupted):
            train(cell.session(stop_at_poll=1))
        mobilenet.unlink()
        result = train(cell.session())
        assert cell.effective[1]["pretrained"] == cell.effective[0]["pretrained"] != []
        score_test(cell.session(), cell.folders[1] / result.files["weights"])

    def test_ends_at_once_where_they_cannot_be_had(self, cell: Any, mobilenet: Path) -> None:
        mobilenet.unlink()
        with pytest.raises(PretrainedWeightsError, match=r"or come from http.*by hand"):
            train(cell.session())
        assert cell.reports == []
        assert list(mobilenet.parent.iterdir()) == []
