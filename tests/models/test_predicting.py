"""A network that is built again predicts as the trained one does."""

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.detection.mask_rcnn import build_mask_rcnn
from models.detection.settings import MaskRCNNSettings
from models.predicting import TrainedNetwork, UnusableWeightsError, apply_network
from models.predictions import FoundObjects, PixelProbabilities
from models.segmentation.settings import UNetSettings
from models.segmentation.unet import build_unet
from models.settings import TrainingSettings
from models.tasks.segmentation import scaled
from models.workbench import save_weights

CPU = torch.device("cpu")
UNET = UNetSettings(base_channels=4, depth=2)
NAMES = ("background", "car", "bus")


@pytest.fixture
def images() -> list[Tensor]:
    """Return two uint8 pictures, as views of (h, w, 3) memory."""
    drawn = torch.randint(0, 256, (2, 32, 32, 3), generator=torch.Generator().manual_seed(0))
    return list(drawn.to(torch.uint8).permute(0, 3, 1, 2))


def trained(folder: Path, model: nn.Module, **training: object) -> TrainedNetwork:
    save_weights(model, folder / "best-1.pt")
    return TrainedNetwork(
        task="semantic_segmentation",
        model=UNET,
        training=TrainingSettings.model_validate(training),
        class_names=NAMES,
        weights=folder / "best-1.pt",
    )


@pytest.mark.parametrize(
    ("loss", "labels"), [("bce", (1, 2)), ("dice", (1, 2)), ("cross_entropy", (0, 1, 2))]
)
def test_probabilities_are_those_of_the_network(
    tmp_path: Path, images: list[Tensor], loss: str, labels: tuple[int, ...]
) -> None:
    model = build_unet(UNET, len(labels)).eval()
    applied = apply_network(trained(tmp_path, model, loss=loss), CPU)
    with torch.no_grad():
        logits = model(scaled(torch.stack(images)))
    expected = logits.softmax(dim=1) if loss == "cross_entropy" else logits.sigmoid()

    for prediction, each in zip(applied.predict(images), expected, strict=True):
        assert isinstance(prediction, PixelProbabilities)
        assert prediction.labels == labels
        assert prediction.is_exclusive == (loss == "cross_entropy")
        assert torch.equal(prediction.values, each)


def test_half_precision_of_a_gpu_becomes_single_on_a_cpu(
    tmp_path: Path, images: list[Tensor]
) -> None:
    model = build_unet(UNET, 2)
    applied = apply_network(trained(tmp_path, model, precision="16-mixed"), CPU)
    assert applied.precision == "32-true"
    assert len(applied.predict(images)) == 2


def test_weights_of_another_network_are_named(tmp_path: Path) -> None:
    other = trained(tmp_path, build_unet(UNET, 5))
    with pytest.raises(UnusableWeightsError, match=r"best-1\.pt must be those of model 'unet'"):
        apply_network(other, CPU)
    (tmp_path / "best-1.pt").write_bytes(os.urandom(64))
    with pytest.raises(UnusableWeightsError, match="with 2 output channels: is not a saved state"):
        apply_network(other, CPU)


def test_a_model_without_a_network_cannot_predict(tmp_path: Path) -> None:
    unet = trained(tmp_path, build_unet(UNET, 2))
    noop = TrainedNetwork(
        unet.task, unet.model.model_copy(update={"name": "noop"}), unet.training, NAMES, Path()
    )
    with pytest.raises(UnusableWeightsError, match="model 'noop' has no network"):
        apply_network(noop, CPU)


@pytest.mark.slow
def test_objects_are_cut_out_of_the_networks_masks_and_count_from_0(tmp_path: Path) -> None:
    settings = MaskRCNNSettings(backbone="resnet18", norm="group", score_threshold=0.0)
    model = build_mask_rcnn(settings, 3).eval()
    save_weights(model, tmp_path / "best-1.pt")
    applied = apply_network(
        TrainedNetwork(
            "instance_segmentation",
            settings,
            TrainingSettings(),
            ("car", "bus"),
            tmp_path / "best-1.pt",
        ),
        CPU,
    )
    images = [torch.rand(3, 64, 96), torch.rand(3, 64, 64)]
    with torch.no_grad():
        expected = model(images)
    for image, found, detection in zip(images, applied.predict(images), expected, strict=True):
        assert isinstance(found, FoundObjects)
        assert found.input_hw == image.shape[-2:]
        assert len(found.scores)
        assert torch.equal(found.labels + 1, detection["labels"])
        assert found.masks is not None
        for mask, whole in zip(found.masks, detection["masks"][:, 0], strict=True):
            pasted = torch.zeros_like(whole)
            height, width = mask.values.shape
            pasted[mask.top : mask.top + height, mask.left : mask.left + width] = mask.values
            assert torch.equal(pasted, whole)
            # Nothing of the whole mask is kept beside it.
            assert mask.values.untyped_storage().nbytes() == 4 * height * width
