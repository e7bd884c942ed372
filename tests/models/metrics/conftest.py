import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pycocotools.coco import COCO  # type: ignore[import-untyped]
from torch import nn

from data_pipeline.samples import SegmentationBatch
from models.metrics.scored_images import Objects, ScoredImage
from models.metrics.segmentation import Predictions
from models.settings import AlsoScored, EvaluationSettings
from models.tasks.segmentation_decisions import Decisions
from models.tasks.segmentation_decisions import SegmentationBatch as AnyBatch
from models.tasks.segmentation_evaluator import SegmentationEvaluator

IMAGES_PER_BATCH = 2


@dataclass(frozen=True, slots=True)
class Case:
    """Random probabilities and labels of a few tiny images; label 0 is the background."""

    probabilities: NDArray[np.float32]  # (images, channels, h, w)
    labels: NDArray[np.uint8]  # (images, h, w), 255 unlabelled
    is_softmax: bool

    @property
    def classes(self) -> range:
        """Labels without the background."""
        return range(1, self.probabilities.shape[1] + (not self.is_softmax))

    @property
    def valid(self) -> NDArray[np.bool_]:
        valid: NDArray[np.bool_] = self.labels != 255
        return valid

    def of_class(self, label: int) -> NDArray[np.float32]:
        """Return the class's own probabilities."""
        return self.probabilities[:, label - (not self.is_softmax)]

    def found(self, label: int, threshold: float) -> NDArray[np.bool_]:
        """Return where a class is found, (images, h, w)."""
        best = self.probabilities.argmax(axis=1) == label
        found: NDArray[np.bool_] = self.of_class(label).astype(np.float64) >= threshold
        return best if self.is_softmax else found

    def predictions(self, *also: AlsoScored, threshold: float = 0.5) -> Predictions:
        """Let the evaluator count, batch by batch, and return all that it kept."""
        return self.evaluator(*also, threshold=threshold, is_saved=True).predictions()

    def evaluator(
        self, *also: AlsoScored, threshold: float = 0.5, is_saved: bool
    ) -> SegmentationEvaluator:
        """Let the evaluator count, batch by batch."""
        names = ["background", *(f"class {label}" for label in self.classes)]
        evaluator = SegmentationEvaluator(
            self._decide(threshold),
            class_names=names,
            first_class=1,
            is_softmax=self.is_softmax,
            evaluation=EvaluationSettings(threshold=threshold, also=also),
            is_saved=is_saved,
        )
        for start in range(0, len(self.labels), IMAGES_PER_BATCH):
            chosen = range(start, min(start + IMAGES_PER_BATCH, len(self.labels)))
            images = torch.zeros(len(chosen), 3, *self.labels.shape[1:], dtype=torch.uint8)
            masks = torch.from_numpy(self.labels[start : chosen.stop])
            ids = tuple(str(index) for index in chosen)
            evaluator.update(nn.Identity(), SegmentationBatch(ids, images, masks))
        return evaluator

    def _decide(self, threshold: float) -> Callable[[nn.Module, AnyBatch], Decisions]:
        def decide(model: nn.Module, batch: AnyBatch) -> Decisions:  # noqa: ARG001
            chosen = [int(name) for name in batch.image_ids]
            found = np.stack([self.found(c, threshold)[chosen] for c in self.classes], axis=1)
            truth = np.stack([(self.labels == c)[chosen] for c in self.classes], axis=1)
            return Decisions(
                losses=torch.zeros(len(chosen)),
                probabilities=torch.from_numpy(self.probabilities[chosen]),
                found=torch.from_numpy(found),
                truth=torch.from_numpy(truth),
                labels=batch.masks,
                valid=torch.from_numpy(self.valid[chosen]),
            )

        return decide


@pytest.fixture
def random_case() -> Callable[..., Case]:
    """Draw a case: `random_case(seed, is_softmax=…)`; some classes and images are empty."""

    def draw(seed: int, *, is_softmax: bool, side: int = 5) -> Case:
        generator = np.random.default_rng(seed)
        images, classes = generator.integers(1, 4), generator.integers(1, 4)
        kinds = generator.choice(classes + 1, generator.integers(1, classes + 2), replace=False)
        labels = generator.choice(kinds, (images, side, side)).astype(np.uint8)
        labels[generator.random(labels.shape) < generator.choice([0, 0.2])] = 255
        if generator.random() < 0.1:
            labels[0] = 255
        channels = classes + is_softmax
        certain = generator.choice([0.0, 0.5, 3.0])  # from chance to nearly always right
        first = np.arange(not is_softmax, classes + 1)
        logits = generator.normal(-1, 2, (images, channels, side, side))
        logits += 2 * certain * (labels[:, None] == first[:, None, None])
        if is_softmax:
            exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
            probabilities = exponents / exponents.sum(axis=1, keepdims=True)
        else:
            probabilities = 1 / (1 + np.exp(-logits))
            # Probabilities that saturate, and some on a threshold.
            probabilities = np.where(np.abs(logits) > 4, logits > 0, probabilities)
            on_grid = generator.random(probabilities.shape) < 0.2
            probabilities = np.where(on_grid, probabilities.round(1), probabilities)
        return Case(probabilities.astype(np.float32), labels, is_softmax)

    return draw


@pytest.fixture
def random_split() -> Callable[[int], tuple[list[ScoredImage], int]]:
    """Draw a split of images with objects and detections, and the number of its classes.

    Boxes lie on a coarse grid and scores are tenths, so that IoUs of exactly 0.5, equal IoUs and
    equal scores are common; some images are empty, some objects ignored, some without area.
    """

    def draw(seed: int) -> tuple[list[ScoredImage], int]:
        generator = np.random.default_rng(seed)
        classes = int(generator.integers(1, 4))
        number = int(generator.integers(1, 5))
        return [drawn_image(generator, classes, str(index)) for index in range(number)], classes

    return draw


def drawn_image(generator: np.random.Generator, classes: int, name: str) -> ScoredImage:
    count, more = generator.integers(0, 6), generator.integers(0, 4)
    corners = generator.integers(0, 6, (count, 2)) * 4.0
    truth = np.hstack([corners, corners + generator.integers(1, 5, (count, 2)) * 4.0])
    truth[generator.random(count) < 0.03, 2] = 0  # no area
    labels = generator.integers(0, classes, count)
    copies = generator.integers(0, count, 2 * count) if count else np.zeros(0, np.int64)
    found = truth[copies] + generator.integers(-1, 2, (len(copies), 4)) * 4.0
    others = generator.integers(0, 6, (more, 2)) * 4.0
    found = np.vstack([found, np.hstack([others, others + 8.0])])
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2])
    guesses = generator.integers(0, classes, len(found))
    guesses[: len(copies)] = np.where(
        generator.random(len(copies)) < 0.7, labels[copies], guesses[: len(copies)]
    )
    sides = truth[:, 2:] - truth[:, :2]
    return ScoredImage(
        image_id=name,
        size_hw=(40, 40),
        pixel_area=float(generator.choice([1.0, 16.0, 100.0])),
        truth=Objects(labels, truth, None),
        truth_areas=np.abs(sides[:, 0] * sides[:, 1]) * 16,
        is_ignored=generator.random(count) < 0.2,
        found=Objects(guesses, found, None),
        scores=generator.integers(0, 11, len(found)) / 10,
    )


@pytest.fixture
def read_coco() -> Callable[[Path, Path], tuple[list[ScoredImage], int]]:
    """Read COCO annotations and results: images, and the number of classes."""
    return read_split


def coco_objects(
    content: COCO, annotations: Sequence[dict[str, Any]], labels: dict[int, int]
) -> Objects:
    """Read COCO annotations, masks and all where they have some."""
    boxes = np.array([each["bbox"] for each in annotations], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    has_masks = all("segmentation" in each for each in annotations)
    masks = tuple(content.annToRLE(each) for each in annotations) if has_masks else None
    found = np.array([labels[each["category_id"]] for each in annotations], np.int64)
    return Objects(found, boxes, masks)


def read_split(truth_file: Path, results_file: Path) -> tuple[list[ScoredImage], int]:
    truth = COCO(str(truth_file))
    results = json.loads(results_file.read_text())
    labels = {category: label for label, category in enumerate(sorted(truth.getCatIds()))}
    images = []
    for number in sorted(truth.getImgIds()):
        image = truth.imgs[number]
        true = truth.loadAnns(truth.getAnnIds(imgIds=[number]))
        found = [each for each in results if each["image_id"] == number]
        images.append(
            ScoredImage(
                image_id=str(number),
                size_hw=(image["height"], image["width"]),
                pixel_area=1.0,
                truth=coco_objects(truth, true, labels),
                truth_areas=np.array([each["area"] for each in true], np.float64),
                is_ignored=np.array([each.get("iscrowd", 0) for each in true], np.bool_),
                found=coco_objects(truth, [{"bbox": [0] * 4, **each} for each in found], labels),
                scores=np.array([each["score"] for each in found], np.float64),
            )
        )
    return images, len(labels)
