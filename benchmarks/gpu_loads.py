"""The three thesis trainings as loads for `gpu.py`: settings, random batches, plain counterparts.

A plain counterpart is what one writes without this project: torchvision's own Faster R-CNN, and a
bare loop around the network where torchvision has none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import vgg16  # type: ignore[import-untyped]
from torchvision.models.detection import FasterRCNN  # type: ignore[import-untyped]
from torchvision.models.detection.anchor_utils import (  # type: ignore[import-untyped]
    AnchorGenerator,
)
from torchvision.models.detection.faster_rcnn import (  # type: ignore[import-untyped]
    FastRCNNPredictor,
)
from torchvision.ops import MultiScaleRoIAlign  # type: ignore[import-untyped]

from data_pipeline.samples import ClipBatch, DetectionBatch, SegmentationBatch
from models.catalog import MODELS
from models.entries import ClipShape
from models.resolve import resolve
from models.session import TrainingSession
from models.settings import EvaluationSettings, TrainingSettings

OBJECTS = 4  # boxes of a random image
CLASSES = {
    "object_detection": ("person", "traffic light", "traffic sign"),
    "semantic_segmentation": ("background", "car"),
    "action_recognition": tuple(f"action {number}" for number in range(101)),
}
CLIP = ClipShape(frames=64)


@dataclass(frozen=True, slots=True)
class Load:
    """A model at an image size and a batch size, and how long the thesis took for an epoch."""

    model: str
    task: str
    size: int
    batch: int
    settings: Mapping[str, Any]
    training: Mapping[str, Any]
    thesis: Mapping[str, float]  # GPU, as far as it is known -> seconds per epoch
    thesis_images: int = 0  # per epoch; 0: the thesis says nothing

    @property
    def name(self) -> str:
        """Return what it is called in the table."""
        return f"{self.model} {self.size} px, batch {self.batch}"


# Tables 4 and 6 of the thesis; 1,904 training images (its section 6.3.1).
DETECTOR_SECONDS: Mapping[tuple[int, int], Mapping[str, float]] = {
    (150, 1): {"P100": 1040, "T4": 1150},
    (150, 5): {"K80": 347, "P100": 200},
    (150, 10): {"P100": 120, "T4": 140},
    (300, 1): {"K80": 2685},
    (600, 1): {"T4": 3500},
}
# Tables 8 and 9, car: hours of 30 epochs of 4,000 images, validation on 800 more included.
UNET_HOURS = {(128, 1): 1.75, (256, 1): 3.5, (256, 2): 2.8, (256, 5): 2.5, (512, 1): 10.0}


def loads() -> list[Load]:
    """Return every load, the smallest of each model first."""
    detector = {
        "name": "faster_rcnn_vgg16",
        "form": "thesis",
        "pooling": "roi_pool",
        "anchor_sizes": [32, 64, 128],
        "sampled_regions": 2,
        "foreground_share": 0.5,
    }
    adam = {"optimizer": "adam", "learning_rate": 1e-5}
    found = [
        Load(
            "unet",
            "semantic_segmentation",
            size,
            batch,
            {"name": "unet"},
            {"optimizer": "adam", "learning_rate": 1e-4, "loss": "bce"},
            _hours(UNET_HOURS.get((size, batch))),
            4000,
        )
        for size in (128, 256, 512)
        for batch in (1, 2, 5)
    ]
    sgd = {"optimizer": "sgd", "learning_rate": 1e-2, "momentum": 0.9, "weight_decay": 1e-5}
    slowfast = {"name": "slowfast", "form": "thesis"}
    found.append(
        Load("slowfast", "action_recognition", 112, 8, slowfast, sgd, thesis={}),
    )
    for size in (150, 300, 600):
        for batch in (1, 5, 10):
            seconds = DETECTOR_SECONDS.get((size, batch), {})
            task = "object_detection"
            found.append(
                Load("faster_rcnn_vgg16", task, size, batch, detector, adam, seconds, 1904)
            )
    return found


def _hours(hours: float | None) -> Mapping[str, float]:
    return {} if hours is None else {"a Colab GPU": hours * 3600 / 30}


def session_of(load: Load, *, precision: str, deterministic: bool) -> TrainingSession:
    """Return a session that trains a load; nothing is ever written or reported."""
    training = {
        **load.training,
        "batch_size": load.batch,
        "precision": precision,
        "deterministic": deterministic,
    }
    return TrainingSession(
        task=load.task,
        model=MODELS[load.model].settings.model_validate(load.settings),
        training=TrainingSettings.model_validate(training),
        evaluation=EvaluationSettings(),
        image_size=load.size,
        seed=0,
        micro_batch_divisor=1,
        objective="val/loss",
        maximize=False,
        scores_test=False,
        folder=Path(),
        earlier_folders=(),
        data=lambda: NoData(CLASSES[load.task]),  # type: ignore[arg-type,return-value]
        report=lambda _: None,
        report_effective=lambda _: None,
        report_progress=lambda *_: None,
        should_stop=lambda: False,
        clip=CLIP if load.task == "action_recognition" else None,
    )


@dataclass(frozen=True, slots=True)
class NoData:
    """The names of the classes, for whoever builds a network."""

    class_names: tuple[str, ...]


def random_batches(load: Load, count: int) -> list[Any]:
    """Return batches of random pixels in host memory, as the data pipeline delivers them."""
    generator = torch.Generator().manual_seed(0)
    make = {
        "semantic_segmentation": _segmentation,
        "object_detection": _detection,
        "action_recognition": _clips,
    }[load.task]
    return [make(load, generator) for _ in range(count)]


def _pixels(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def _names(load: Load) -> tuple[str, ...]:
    return tuple(f"image-{number}" for number in range(load.batch))


def _segmentation(load: Load, generator: torch.Generator) -> SegmentationBatch:
    shape = (load.batch, load.size, load.size)
    masks = torch.randint(0, 2, shape, dtype=torch.uint8, generator=generator)
    images = _pixels((load.batch, 3, load.size, load.size), generator)
    return SegmentationBatch(_names(load), images, masks)


def _clips(load: Load, generator: torch.Generator) -> ClipBatch:
    shape = (load.batch, 3, CLIP.frames, load.size, load.size)
    labels = torch.randint(0, 101, (load.batch,), generator=generator)
    return ClipBatch(_names(load), _pixels(shape, generator), labels)


def _detection(load: Load, generator: torch.Generator) -> DetectionBatch:
    each = range(load.batch)
    corners = [torch.rand(OBJECTS, 2, generator=generator) * load.size / 2 for _ in each]
    sides = [(0.1 + torch.rand(OBJECTS, 2, generator=generator)) * load.size / 3 for _ in each]
    nothing = tuple(torch.zeros(OBJECTS, dtype=torch.bool) for _ in each)
    return DetectionBatch(
        _names(load),
        images=tuple(_pixels((3, load.size, load.size), generator) for _ in each),
        stored_hw=((load.size, load.size),) * load.batch,
        boxes_xyxy=tuple(
            torch.cat([corner, corner + side], dim=1)
            for corner, side in zip(corners, sides, strict=True)
        ),
        labels=tuple(torch.randint(0, 3, (OBJECTS,), generator=generator) for _ in each),
        areas=tuple((side[:, 0] * side[:, 1]) for side in sides),
        is_crowd=nothing,
        is_difficult=nothing,
    )


Step = Callable[[Any], None]  # takes a batch in host memory


def plain_step(load: Load, device: torch.device, *, uses_bf16: bool) -> Step:
    """Return one step of a loop as PyTorch's and torchvision's tutorials have it."""
    network = _plain_network(load).to(device).train()
    rate = float(load.training["learning_rate"])
    optimizer: torch.optim.Optimizer
    if load.training["optimizer"] == "sgd":
        optimizer = torch.optim.SGD(network.parameters(), rate, momentum=0.9, weight_decay=1e-5)
    else:
        optimizer = torch.optim.Adam(network.parameters(), rate)
    losses: dict[str, Callable[..., torch.Tensor]] = {
        "semantic_segmentation": _segmentation_loss,
        "object_detection": _detection_loss,
        "action_recognition": _clip_loss,
    }
    loss_of = losses[load.task]

    def step(batch: Any) -> None:  # noqa: ANN401  # of the load's task
        with torch.autocast(device.type, torch.bfloat16, enabled=uses_bf16):
            loss = loss_of(network, batch, device)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def _plain_network(load: Load) -> nn.Module:
    if load.task != "object_detection":
        entry = MODELS[load.model]
        settings = entry.settings.model_validate(load.settings)
        channels = 1 if load.task == "semantic_segmentation" else len(CLASSES[load.task])
        network: nn.Module = resolve(entry.builder or "")(settings, channels)
        return network
    whole = vgg16(weights=None)
    backbone = whole.features[:-1]  # without the last pooling, as in the paper
    backbone.out_channels = 512
    head = nn.Sequential(nn.Flatten(), *whole.classifier[:-1])  # its two layers of 4,096
    detector: nn.Module = FasterRCNN(
        backbone,
        min_size=load.size,
        max_size=load.size,
        rpn_anchor_generator=AnchorGenerator(((32, 64, 128),), ((0.5, 1.0, 2.0),)),
        box_roi_pool=MultiScaleRoIAlign(["0"], output_size=7, sampling_ratio=2),
        box_head=head,
        box_predictor=FastRCNNPredictor(4096, len(CLASSES[load.task]) + 1),
        rpn_pre_nms_top_n_train=12_000,
        box_batch_size_per_image=2,
        box_positive_fraction=0.5,
    )
    return detector


def _segmentation_loss(
    network: nn.Module, batch: SegmentationBatch, device: torch.device
) -> Tensor:
    images = batch.images.to(device).float() / 127.5 - 1
    truth = batch.masks.to(device).unsqueeze(1).float()
    return functional.binary_cross_entropy_with_logits(network(images), truth)


def _clip_loss(network: nn.Module, batch: ClipBatch, device: torch.device) -> Tensor:
    clips = batch.clips.to(device).float() / 127.5 - 1
    return functional.cross_entropy(network(clips), batch.labels.to(device))


def _detection_loss(network: nn.Module, batch: DetectionBatch, device: torch.device) -> Tensor:
    images = [image.to(device).float() / 255 for image in batch.images]
    targets = [
        {"boxes": boxes.to(device), "labels": labels.to(device) + 1}
        for boxes, labels in zip(batch.boxes_xyxy, batch.labels, strict=True)
    ]
    return torch.stack(list(network(images, targets).values())).sum()
