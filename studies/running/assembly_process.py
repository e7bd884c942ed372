"""The scoring of an assembly, inside a trial process: every network over every image once.

An image that a network was trained on, or whose scores chose its weights, would flatter it. With
a random split each class's images are cut by themselves, so that one class's training image may
be another's test image: those are left out, for all networks alike, and counted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data_pipeline.samples import SegmentationBatch
from data_pipeline.source import DataSource, open_data
from data_pipeline.splitting.splits import SplitName
from models.assembly import AssemblyEvaluator, Way, at_scale
from models.assembly_scores import Choice, at_own_thresholds, choose
from models.metrics.names import BACKGROUND
from models.metrics.segmentation import SigmoidPredictions
from models.predicting import AppliedNetwork, TrainedNetwork, apply_network
from models.predictions import PixelProbabilities, Prediction
from models.session import Interrupted
from models.tasks.segmentation_decisions import centre
from models.tasks.strips import save_strip
from studies.running.trial_order import AssemblyOrder, NetworkOrder, TrialOrder
from studies.spec.schema import CellSettings

SEEN_BEFORE: Mapping[SplitName, tuple[SplitName, ...]] = {
    "val": ("train",),
    "test": ("train", "val"),
}
STRIP = "predictions_strip"

ReportProgress = Callable[[int, int, int], None]  # epoch, step, steps


@dataclass(frozen=True, slots=True)
class _Network:
    """A network with the images that it is applied to, and those that it knows."""

    group: str
    threshold: float
    applied: AppliedNetwork
    class_names: tuple[str, ...]
    image_size: int
    images: DataSource  # of all classes
    own: DataSource  # what it was trained with

    def probabilities(self, images: Tensor, classes: Sequence[str]) -> Tensor:
        """Return (b, classes, h, w) of some of its classes."""
        predictions = [_per_pixel(each) for each in self.applied.predict(list(images))]
        names = [self.class_names[label] for label in predictions[0].labels]
        channels = [names.index(name) for name in classes]
        return torch.stack([each.values for each in predictions])[:, channels]


def _per_pixel(prediction: Prediction) -> PixelProbabilities:
    if not isinstance(prediction, PixelProbabilities):
        raise TypeError(
            f"networks are put together by what they say of pixels, got {type(prediction)}"
        )
    return prediction


@dataclass(frozen=True, slots=True)
class _Counted:
    """What is known of a split when all its images have gone through."""

    evaluator: AssemblyEvaluator
    left_out: int
    predictions: Mapping[Way, SigmoidPredictions]


def run_assembly(
    order: TrialOrder, report_progress: ReportProgress, should_stop: Callable[[], bool]
) -> dict[str, Any]:
    """Score an assembly and return the fields of the "finished" event.

    Raises:
        Interrupted: `should_stop` said so; nothing is kept.
        ValueError: no image is left to choose the threshold with, or no assembly was ordered.
    """
    if order.assembly is None:
        raise ValueError("an order with purpose assembly must name its networks, got none")
    plan = order.assembly
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shared: dict[str, DataSource] = {}
    networks = [_open(each, order, device, shared) for each in plan.networks]
    found: dict[str, _Counted] = {}
    for split in SEEN_BEFORE:
        run = _Run(networks, plan.batch_size, split, report_progress, should_stop)
        if run.has_images():
            found[split] = run.count()
    _require_images(found, plan.choose_on)
    return _finish(order, plan, networks, found)


def _open(
    network: NetworkOrder, order: TrialOrder, device: torch.device, shared: dict[str, DataSource]
) -> _Network:
    """Build a network; networks that take pictures alike share them."""
    settings = CellSettings.model_validate(network.settings)
    data = CellSettings.model_validate(network.applied_to).data
    key = data.model_dump_json()
    if key not in shared:
        shared[key] = open_data(data, order.task, order.seed)
    own = open_data(settings.data, order.task, order.seed, examines=False)
    trained = TrainedNetwork(
        task=order.task,
        model=settings.model,
        training=settings.training,
        class_names=own.class_names,
        weights=network.weights,
    )
    return _Network(
        group=network.group,
        threshold=settings.evaluation.threshold,
        applied=apply_network(trained, device),
        class_names=own.class_names,
        image_size=data.image_size,
        images=shared[key],
        own=own,
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """One split through all networks."""

    networks: Sequence[_Network]
    batch_size: int
    split: SplitName
    report_progress: ReportProgress
    should_stop: Callable[[], bool]

    def has_images(self) -> bool:
        """Whether there is such a split."""
        return bool(self.networks[0].images.image_ids(self.split))

    def count(self) -> _Counted:
        """Count what every network says of every image that none of them knows."""
        known = self._known()
        classes = tuple(each.group for each in self.networks if each.group)
        labels = self.networks[0].images.class_names
        evaluator = AssemblyEvaluator(classes, first_label=int(labels[:1] == (BACKGROUND,)))
        largest = max(self.networks, key=lambda each: each.image_size)
        left_out = 0
        for batches in self._steps():
            ids = batches[0].image_ids
            if any(each.image_ids != ids for each in batches):
                raise ValueError(f"all networks must be given the same images, got {ids} for one")
            kept = [index for index, image_id in enumerate(ids) if image_id not in known]
            left_out += len(ids) - len(kept)
            if kept:
                truth = batches[self.networks.index(largest)]
                evaluator.update(
                    [ids[index] for index in kept],
                    truth.images[kept],
                    truth.masks[kept],
                    self._said(batches, kept, classes, size=largest.image_size),
                )
        predictions = evaluator.predictions() if evaluator.images else {}
        return _Counted(evaluator, left_out, predictions)

    def _known(self) -> set[str]:
        """Return the images that a network was trained or chosen with."""
        return {
            image_id
            for network in self.networks
            for split in SEEN_BEFORE[self.split]
            for image_id in network.own.image_ids(split)
        }

    def _steps(self) -> Iterator[tuple[SegmentationBatch, ...]]:
        """Yield the same images as each network takes them."""
        sources = list(dict.fromkeys(each.images for each in self.networks))
        loaders = [_loader(source, self.split, self.batch_size) for source in sources]
        epochs = [loader.epoch(1) for loader in loaders]
        for step, batches in enumerate(zip(*epochs, strict=True), start=1):
            if self.should_stop():
                raise Interrupted("asked to stop while scoring an assembly")
            self.report_progress(1, step, len(loaders[0]))
            yield tuple(batches[sources.index(each.images)] for each in self.networks)

    def _said(
        self,
        batches: Sequence[SegmentationBatch],
        kept: list[int],
        classes: tuple[str, ...],
        *,
        size: int,
    ) -> dict[Way, Tensor]:
        own: list[Tensor] = []
        said: dict[Way, Tensor] = {}
        for network, batch in zip(self.networks, batches, strict=True):
            names = (network.group,) if network.group else classes
            probabilities = network.probabilities(batch.images[kept], names)
            scaled = at_scale(probabilities, input_size=network.image_size, size=size)
            if network.group:
                own.append(scaled)
            else:
                said["single"] = scaled
        smallest = min(own, key=lambda each: each.shape[-1])
        return {"own": torch.cat([centre(each, smallest) for each in own], dim=1), **said}


def _finish(
    order: TrialOrder,
    plan: AssemblyOrder,
    networks: Sequence[_Network],
    found: Mapping[str, _Counted],
) -> dict[str, Any]:
    """Choose, save, and return what the ledger is to keep."""
    choice = Choice(
        plan.thresholds,
        plan.choose_on,
        metric=order.objective.partition("/")[2],
        maximize=order.maximize,
    )
    by_way: dict[Way, dict[str, SigmoidPredictions]] = {}
    for split, counted in found.items():
        for way, predictions in counted.predictions.items():
            by_way.setdefault(way, {})[split] = predictions
    own_thresholds = [each.threshold for each in networks if each.group]
    scores = {
        way: at_own_thresholds(splits, own_thresholds) if way == "own" else choose(splits, choice)
        for way, splits in by_way.items()
    }
    chosen = scores["assembly"].threshold or 0.0
    return {
        "metrics": _flat({way: each.metrics for way, each in scores.items()}),
        "best_epoch": 0,
        "epochs": 0,
        "train_macs": 0.0,
        "note": "",
        "files": _save(order.folder, by_way, found[plan.choose_on].evaluator, chosen),
        "scores": {way: asdict(each) for way, each in scores.items()},
        "images": {split: each.evaluator.images for split, each in found.items()},
        "left_out": {split: each.left_out for split, each in found.items()},
        "classes": [each.group for each in networks if each.group],
    }


def _save(
    folder: Path,
    by_way: Mapping[Way, Mapping[str, SigmoidPredictions]],
    evaluator: AssemblyEvaluator,
    threshold: float,
) -> dict[str, str]:
    """Write the counts of each way and split, and a picture of the first images."""
    files = {}
    for way, splits in by_way.items():
        for split, predictions in splits.items():
            role = f"predictions_{split}" if way == "assembly" else f"predictions_{way}_{split}"
            files[role] = f"{role}.npz"
            predictions.save(folder / files[role])
    files[STRIP] = f"{STRIP}.png"
    save_strip(folder / files[STRIP], evaluator.probes(threshold))
    return files


def _flat(metrics: Mapping[Way, Mapping[str, float]]) -> dict[str, float]:
    """Name the assembly's metrics as a cell's are, the others with their way before them."""
    return {
        name if way == "assembly" else f"{way}/{name}": value
        for way, each in metrics.items()
        for name, value in each.items()
    }


def _require_images(found: Mapping[str, _Counted], choose_on: str) -> None:
    for split, counted in found.items():
        if not counted.evaluator.images:
            raise ValueError(
                f"an assembly must be scored on {split} images that none of its networks was "
                f"trained with, but all {counted.left_out} were; use a split that is the same "
                "for every class, such as data.split.policy given"
            )
    if choose_on not in found:
        raise ValueError(f"the threshold is chosen on the {choose_on} split, which has no image")


def _loader(source: DataSource, split: SplitName, batch_size: int) -> Any:  # noqa: ANN401
    """Return a split's batches; that of testing is there, for it has images."""
    return source.validation(batch_size) if split == "val" else source.test(batch_size)
