from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import segmentation  # type: ignore[import-untyped]

from models.catalog import MODELS
from models.cost import count_macs, count_parameters, count_predicting
from models.resolve import resolve
from models.segmentation.outputs import WithAuxiliary
from models.segmentation.pooled_norm import PooledBatchNorm
from models.segmentation.torchvision_settings import DeepLabV3Settings
from models.training import train

NAMES = ("fcn_resnet", "deeplabv3", "lraspp")
MOBILE = {"backbone": "mobilenet_v3_large"}
R101 = {"backbone": "resnet101"}


def built(name: str, channels: int, **settings: Any) -> nn.Module:
    entry = MODELS[name]
    network: nn.Module = resolve(str(entry.builder))(
        entry.settings.model_validate({"name": name, **settings}), channels
    )
    return network


@pytest.mark.parametrize(
    ("name", "settings", "channels", "plain", "with_auxiliary"),
    [
        ("fcn_resnet", {}, 21, 32_957_013, 35_322_218),
        ("fcn_resnet", R101, 21, 51_949_141, 54_314_346),
        ("fcn_resnet", {}, 1, 32_946_753, None),
        ("fcn_resnet", {}, 2, 32_947_266, None),
        ("fcn_resnet", {}, 12, 32_952_396, None),
        ("deeplabv3", {}, 21, 39_638_869, 42_004_074),
        ("deeplabv3", R101, 21, 58_630_997, 60_996_202),
        ("deeplabv3", MOBILE, 21, 11_025_477, 11_029_328),
        ("deeplabv3", {}, 1, 39_633_729, None),
        ("deeplabv3", {}, 2, 39_633_986, None),
        ("deeplabv3", {}, 12, 39_636_556, None),
        ("lraspp", {}, 21, 3_221_538, None),
    ],
)
def test_parameter_counts_are_the_published_ones(
    name: str,
    settings: dict[str, Any],
    channels: int,
    plain: int,
    with_auxiliary: int | None,
) -> None:
    with torch.device("meta"):
        assert count_parameters(built(name, channels, **settings)) == plain
        if with_auxiliary is not None:
            network = built(name, channels, **settings, auxiliary_weight=0.5)
            assert count_parameters(network) == with_auxiliary
            assert count_predicting(network) == plain


@pytest.mark.parametrize(
    ("name", "settings", "head_channels", "published"),
    [
        ("fcn_resnet", {}, 1024, 152.717),
        ("deeplabv3", MOBILE, 40, 10.452),
        ("lraspp", {}, 0, 2.086),
    ],
)
def test_forward_pass_costs_what_is_published(
    name: str, settings: dict[str, Any], head_channels: int, published: float
) -> None:
    with torch.device("meta"):
        network, image = built(name, 21, **settings), torch.empty(1, 3, 520, 520)
    # The published count has an auxiliary head in it, which we do not run to predict.
    between = head_channels // 4
    head = 65 * 65 * (head_channels * between * 9 + between * 21)
    assert (count_macs(network, image) + head) / 1e9 == pytest.approx(published, abs=0.001)


@pytest.mark.parametrize("size", [32, 65, 150, 224, 513])
@pytest.mark.parametrize("name", NAMES)
def test_logits_have_the_size_of_the_image(name: str, size: int) -> None:
    entry = MODELS[name]
    assert entry.size_rule(entry.settings(name=name), size) is None
    with torch.device("meta"):
        network = built(name, 4).eval()
        assert network(torch.empty(2, 3, size, size)).shape == (2, 4, size, size)


@pytest.mark.parametrize(
    ("name", "settings", "least"),
    [("fcn_resnet", {}, 16), ("deeplabv3", MOBILE, 32), ("deeplabv3", {}, 16), ("lraspp", {}, 32)],
)
def test_smallest_image_trains_alone(name: str, settings: dict[str, Any], least: int) -> None:
    entry = MODELS[name]
    checked = entry.settings.model_validate({"name": name, **settings})
    assert entry.size_rule(checked, least - 1) == (
        f"image size of {name} must be at least {least}, for 2 pixels at stride {least // 2}, "
        f"got {least - 1}; use {least}"
    )
    assert entry.size_rule(checked, least) is None
    torch.manual_seed(0)
    network = built(name, 2, **settings).train()
    logits = network(torch.randn(1, 3, least, least))
    logits.square().mean().backward()
    assert logits.isfinite().all()


@pytest.mark.parametrize(
    ("name", "settings", "theirs"),
    [
        ("deeplabv3", {**MOBILE, "auxiliary_weight": 0.4}, "deeplabv3_mobilenet_v3_large"),
        ("lraspp", {}, "lraspp_mobilenet_v3_large"),
    ],
)
def test_output_is_that_of_torchvision(name: str, settings: dict[str, Any], theirs: str) -> None:
    torch.manual_seed(1)
    network = built(name, 5, **settings).eval()
    options = {"aux_loss": True} if "auxiliary_weight" in settings else {}
    reference = getattr(segmentation, theirs)(
        weights=None, weights_backbone=None, num_classes=5, **options
    ).eval()
    reference.load_state_dict(
        {
            key.replace("auxiliary.", "aux_classifier."): value
            for key, value in network.state_dict().items()
        }
    )
    images = torch.randn(2, 3, 70, 70)
    with torch.no_grad():
        assert torch.equal(network(images), reference(images)["out"])


@pytest.mark.parametrize("name", ["fcn_resnet", "deeplabv3"])
def test_auxiliary_logits_are_there_in_training_alone(name: str) -> None:
    with torch.device("meta"):
        network, images = built(name, 3, auxiliary_weight=0.4), torch.empty(2, 3, 64, 64)
        output = network.train()(images)
        assert isinstance(output, WithAuxiliary)
        assert output.logits.shape == output.auxiliary.shape == (2, 3, 64, 64)
        assert output.weight == 0.4
        assert isinstance(network.eval()(images), torch.Tensor)


class TestPooledBatchNorm:
    def test_several_images_are_normalised_by_their_own_statistics(self) -> None:
        ours, theirs = PooledBatchNorm(3), nn.BatchNorm2d(3)
        pooled = torch.randn(4, 3, 1, 1)
        assert torch.equal(ours(pooled), theirs(pooled))
        assert torch.equal(ours.running_var, theirs.running_var)  # type: ignore[arg-type]

    def test_a_single_image_is_normalised_by_running_statistics(self) -> None:
        layer = PooledBatchNorm(3)
        layer(torch.randn(4, 3, 1, 1))
        single = torch.randn(1, 3, 1, 1)
        before = {name: value.clone() for name, value in layer.state_dict().items()}
        in_training = layer(single)
        assert torch.equal(in_training, layer.eval()(single))
        assert all(torch.equal(layer.state_dict()[name], before[name]) for name in before)


def test_auxiliary_head_is_trained_along(
    attempts: Callable[..., Any], tiny_data: Callable[..., Any]
) -> None:
    settings = DeepLabV3Settings(backbone="mobilenet_v3_large", auxiliary_weight=0.4)
    training = {"optimizer": "sgd", "learning_rate": 1e-3, "epochs": 1, "precision": "bf16-mixed"}
    cell = attempts(model=settings, training=training, data=tiny_data(count=3, size=32))
    result = train(cell.session(seed=5))  # its last batch is a single image
    trained = torch.load(cell.folders[0] / result.files["weights"], weights_only=True)
    torch.manual_seed(5)
    initial = built("deeplabv3", 2, **settings.model_dump(exclude={"name"})).state_dict()
    for name in ("auxiliary.0.weight", "classifier.1.weight"):
        # Weights of another seed would differ by more than such small steps.
        assert 0 < (trained[name] - initial[name]).abs().max() < 0.01
    effective = cell.effective[0]
    assert effective["predicting_parameters"] == effective["parameters"] - sum(
        initial[f"auxiliary.{name}"].numel()
        for name in ("0.weight", "1.weight", "1.bias", "4.weight", "4.bias")
    )
