"""Networks of one class each, put together pixel by pixel, and what that scores.

A pixel belongs to the class whose network says the highest probability, where that is at least
the threshold, and else to the background; of equal probabilities the earlier class has it. So a
class's probability counts where it is the highest and is 0 elsewhere: histograms of what is left
score the assembly at every threshold from one pass.

Three ways to find all classes are scored on the same pixels:

    own        each class's network alone, at its own threshold: classes may overlap
    assembly   the same networks, one class per pixel
    single     one network for all classes, its probabilities put together by the same rule

Networks of different image sizes are compared at the largest of them: probabilities of the others
are enlarged bilinearly to the labels of that size. A network whose output is smaller than its
input covers the centre of the picture, and all are scored on the smallest centre.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from models.losses import IGNORE, one_hot
from models.metrics.segmentation import SigmoidPredictions
from models.tasks.segmentation_counts import ImageRows, histograms
from models.tasks.segmentation_decisions import centre
from models.tasks.segmentation_evaluator import shown
from models.tasks.strips import Probe

Way: TypeAlias = Literal["own", "assembly", "single"]
PROBES = 6  # images in the picture of predictions


def assembled(probabilities: Tensor) -> Tensor:
    """Set every class but a pixel's most probable one to 0; the earlier class wins ties.

    Args:
        probabilities: (b, k, h, w) in [0, 1].

    Returns:
        (b, k, h, w); at most one class of a pixel is above 0.
    """
    best = probabilities.argmax(dim=1, keepdim=True)  # the first of equals
    classes = torch.arange(probabilities.shape[1], device=probabilities.device)
    return torch.where(classes.view(1, -1, 1, 1) == best, probabilities, 0.0)


def at_scale(probabilities: Tensor, *, input_size: int, size: int) -> Tensor:
    """Bring what a network said of pictures of one size to pictures of another, bilinearly.

    Args:
        probabilities: (b, k, h, w) of the centre of a square input, or of all of it.
        input_size: Side of that input, pixels.
        size: Side of the pictures wanted, pixels.
    """
    sides = [round(side * size / input_size) for side in probabilities.shape[-2:]]
    if sides == list(probabilities.shape[-2:]):
        return probabilities
    return interpolate(probabilities, sides, mode="bilinear", align_corners=False)


class AssemblyEvaluator:
    """Counts of a split, for each way to find all classes."""

    def __init__(self, class_names: Sequence[str], *, first_label: int) -> None:
        """Count for some classes.

        Args:
            class_names: Without the background.
            first_label: Label of the first of them: 1 behind a background, else 0.
        """
        self._class_names = tuple(class_names)
        self._first_label = first_label
        self._image_ids: list[str] = []
        self._counts: dict[Way, ImageRows] = {}
        self._probes: list[Probe] = []

    def update(
        self, image_ids: Sequence[str], images: Tensor, masks: Tensor, said: Mapping[Way, Tensor]
    ) -> None:
        """Count a batch.

        Args:
            image_ids: (b,).
            images: (b, 3, h, w) as the network of that size is given them.
            masks: (b, h, w) uint8 labels of all classes, or IGNORE.
            said: Way -> (b, k, h', w') probabilities of the centre of the pictures, "own" among
                them; "assembly" is made of those.
        """
        smallest = min(said.values(), key=lambda each: each.shape[-2] * each.shape[-1])
        covered = {way: centre(each, smallest) for way, each in said.items()}
        covered["assembly"] = assembled(covered["own"])
        if "single" in covered:
            covered["single"] = assembled(covered["single"])
        labels = centre(masks, smallest)
        truth = one_hot(labels, len(self._class_names), first_label=self._first_label)
        valid = labels != IGNORE
        for way, probabilities in covered.items():
            counts = histograms(probabilities, truth, valid).to(torch.int32)
            self._counts.setdefault(way, ImageRows()).add(counts)
        self._image_ids.extend(image_ids)
        pictures = centre(images, smallest)
        for index in range(min(len(image_ids), PROBES - len(self._probes))):
            self._probes.append(
                _probe(pictures[index], truth[index], covered["assembly"][index], valid[index])
            )

    @property
    def images(self) -> int:
        """Images counted so far."""
        return len(self._image_ids)

    def predictions(self) -> dict[Way, SigmoidPredictions]:
        """Return the histograms of each way; a loss is not defined for what is put together."""
        counts = {way: rows.joined().numpy() for way, rows in self._counts.items()}
        return {
            way: SigmoidPredictions(
                tuple(self._image_ids),
                self._class_names,
                losses=None,
                positives=each[:, :, 1],
                negatives=each[:, :, 0],
            )
            for way, each in counts.items()
        }

    def probes(self, threshold: float) -> list[Probe]:
        """Return the first images with what the assembly finds from a threshold on."""
        return [
            Probe(each.image, each.truth, each.probabilities >= threshold, each.valid)
            for each in self._probes
            if each.probabilities is not None
        ]


def _probe(image: Tensor, truth: Tensor, probabilities: Tensor, valid: Tensor) -> Probe:
    return Probe(
        image=np.ascontiguousarray(shown(image).permute(1, 2, 0).numpy()),
        truth=truth.numpy(),
        prediction=np.zeros(tuple(truth.shape), np.bool_),  # not before a threshold is chosen
        valid=valid.numpy(),
        probabilities=probabilities.numpy(),
    )
