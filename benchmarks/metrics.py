"""Scoring probability maps at many thresholds, and boxes: ours against the usual ways.

    python benchmarks/metrics.py [--images N] [--size PX] [--classes N] [--csv FILE]

Maps: one pass of histograms against a loop over thresholds. Every way starts from the same
probability maps and label masks in memory, and ends with true and false finds per image, class
and threshold. Boxes: COCO's rule by faster-coco-eval, as in every epoch, against pycocotools;
every way starts from the objects and detections of images, and ends with all twelve numbers and
AP by class.

That ways agree is checked before anything is timed. They take turns, and the fastest of their
passes is shown. Exits with 1 when a promise is not kept.
"""

import argparse
import csv
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import binary_stat_scores

from models.metrics.boundaries import boundary_scores
from models.metrics.coco_ap import coco_scores
from models.metrics.detection_errors import detection_errors
from models.metrics.objects import object_agreement
from models.metrics.scored_images import Objects, ScoredImage
from models.metrics.segmentation import PROBABILITY_BINS, SigmoidPredictions, load_predictions
from models.metrics.thresholds import ThresholdTable, threshold_table
from models.metrics.voc_ap import PROTOCOLS, voc_scores
from models.tasks.segmentation_counts import histograms

LISTS = {7: [step / 10 for step in range(2, 9)], 101: [step / 100 for step in range(101)]}
FEW = 7  # thresholds, at most, that torchmetrics is asked for
BATCH = 8  # images counted at once, as an evaluator does
PROMISED = 10.0  # times faster than the loop, at 101 thresholds
PROMISED_BOXES = 5.0  # times faster than pycocotools
SPLITS = ((80, 30), (20, 100), (3, 100))  # classes, detections of an image
REFERENCE, FAST = "pycocotools", "faster-coco-eval"
PACKAGES = (
    "pycocotools",
    "faster-coco-eval",
    "torch",
    "torchmetrics",
    "numpy",
    "opencv-python-headless",
)

Finds = NDArray[np.int64]  # (2, thresholds, images, classes) true and false finds


@dataclass(frozen=True, slots=True)
class Maps:
    """What is scored."""

    probabilities: NDArray[np.float32]  # (images, classes, h, w)
    truth: NDArray[np.bool_]  # (images, classes, h, w)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a way took."""

    way: str
    thresholds: int
    seconds: float  # fastest pass


def drawn(images: int, classes: int, size: int) -> Maps:
    """Draw blobs of a class and probabilities that are mostly right."""
    generator = np.random.default_rng(0)
    coarse = generator.random((images, classes, size // 8, size // 8), np.float32) < 0.3
    truth = coarse.repeat(8, axis=2).repeat(8, axis=3)
    noise = generator.random(truth.shape, np.float32)
    probabilities = np.float32(0.65) * noise + np.float32(0.35) * truth
    return Maps(probabilities.astype(np.float32), truth)


def loop(maps: Maps, thresholds: Sequence[float]) -> Finds:
    """Threshold the maps anew each time."""
    finds = np.empty((2, len(thresholds), *maps.truth.shape[:2]), np.int64)
    for step, threshold in enumerate(thresholds):
        # The smallest float32 that is not below the threshold, so that both ways mean the same.
        least = np.float32(threshold)
        least = np.nextafter(least, np.float32(2)) if float(least) < threshold else least
        found = maps.probabilities >= least
        finds[0, step] = np.count_nonzero(found & maps.truth, axis=(2, 3))
        finds[1, step] = np.count_nonzero(found, axis=(2, 3)) - finds[0, step]
    return finds


def by_torchmetrics(maps: Maps, thresholds: Sequence[float]) -> Finds:
    """Have torchmetrics count at each threshold."""
    rows = maps.truth.shape[0] * maps.truth.shape[1]
    target = torch.from_numpy(maps.truth).view(rows, -1).int()
    probabilities = torch.from_numpy(maps.probabilities).view(rows, -1).double()
    finds = []
    for threshold in thresholds:
        found = (probabilities >= threshold).int()
        scores = binary_stat_scores(found, target, multidim_average="samplewise")
        finds.append(scores[:, :2].T.reshape(2, *maps.truth.shape[:2]).numpy())
    return np.stack(finds, axis=1)


def counted(maps: Maps) -> SigmoidPredictions:
    """Count the maps batch by batch, as an evaluator does."""
    images, classes, *size = maps.truth.shape
    valid = torch.ones(images, *size, dtype=torch.bool)
    parts = [
        histograms(
            torch.from_numpy(maps.probabilities[start : start + BATCH]),
            torch.from_numpy(maps.truth[start : start + BATCH]),
            valid[start : start + BATCH],
        )
        for start in range(0, images, BATCH)
    ]
    counts = torch.cat(parts).numpy()
    names = tuple(f"class {index}" for index in range(classes))
    ids = tuple(str(index) for index in range(images))
    return SigmoidPredictions(ids, names, np.zeros(images), counts[:, :, 1], counts[:, :, 0])


def from_predictions(predictions: SigmoidPredictions, thresholds: Sequence[float]) -> Finds:
    """Add histograms up."""
    counts = predictions.counts_at(thresholds)
    return np.stack([counts.tp, counts.fp])


def timed(ways: Mapping[str, Callable[[], object]], passes: int) -> dict[str, float]:
    """Return the seconds of each way's fastest pass; the ways take turns."""
    seconds = dict.fromkeys(ways, float("inf"))
    for _ in range(passes):
        for name, run in ways.items():
            started = time.perf_counter()
            run()
            seconds[name] = min(seconds[name], time.perf_counter() - started)
    return seconds


def sweeps(maps: Maps, passes: int) -> list[Timing]:
    """Time every way at every list of thresholds.

    Raises:
        RuntimeError: two ways do not agree.
    """
    timings = []
    with tempfile.TemporaryDirectory(prefix="visionstudy-metrics-") as folder:
        file = Path(folder) / "predictions_val.npz"
        counted(maps).save(file)
        for count, thresholds in LISTS.items():
            ways: dict[str, Callable[[], Finds]] = {
                "loop over thresholds": partial(loop, maps, thresholds),
                "torchmetrics": partial(by_torchmetrics, maps, thresholds),
                "ours, from maps": partial(from_maps, maps, thresholds),
                "ours, from the saved file": partial(from_file, file, thresholds),
            }
            if count > FEW:
                del ways["torchmetrics"]  # a loop too, and many times slower
            check_agreement({name: run() for name, run in ways.items()})
            timings += [Timing(way, count, each) for way, each in timed(ways, passes).items()]
            table = {"ours, all metrics, from the saved file": partial(scored, file, thresholds)}
            timings += [Timing(way, count, each) for way, each in timed(table, passes).items()]
    return timings


def from_maps(maps: Maps, thresholds: Sequence[float]) -> Finds:
    """Count histograms, then add them up."""
    return from_predictions(counted(maps), thresholds)


def from_file(file: Path, thresholds: Sequence[float]) -> Finds:
    """Add up the histograms that a trial saved."""
    return from_predictions(saved(file), thresholds)


def scored(file: Path, thresholds: Sequence[float]) -> ThresholdTable:
    """Compute every metric at every threshold."""
    return threshold_table(saved(file), thresholds)


def saved(file: Path) -> SigmoidPredictions:
    """Read a trial's predictions."""
    predictions = load_predictions(file)
    if not isinstance(predictions, SigmoidPredictions):
        raise TypeError(f"{file} must hold probabilities of sigmoids, got {type(predictions)}")
    return predictions


def check_agreement(finds: Mapping[str, Finds]) -> None:
    """Raise unless all ways counted the same."""
    (first, expected), *others = finds.items()
    for name, found in others:
        if not np.array_equal(found, expected):
            raise RuntimeError(f"{name} and {first} must count the same, and do not")


def costly(maps: Maps, passes: int) -> dict[str, float]:
    """Time what `evaluation.also` asks for, per image of one class, at all its thresholds."""
    probability, truth = maps.probabilities[0], maps.truth[0]
    valid = np.ones(truth.shape[1:], np.bool_)
    found = np.stack([probability >= step / 20 for step in range(1, 20)])
    return timed(
        {
            "boundary_f1": lambda: boundary_scores(found[:, :1], truth[:1], valid),
            "rand_error": lambda: object_agreement(probability[0], truth[0], valid),
        },
        passes,
    )


def drawn_boxes(images: int, *, classes: int, detections: int) -> list[ScoredImage]:
    """Draw objects of all sizes, and detections of which most are near an object."""
    generator = np.random.default_rng(0)
    split = []
    for number in range(images):
        count = int(generator.poisson(7))
        corners = generator.uniform(0, 500, (count, 2))
        true = np.hstack([corners, corners + np.exp(generator.uniform(2, 5.5, (count, 2)))])
        labels = generator.integers(0, classes, count)
        copies = generator.integers(0, count, detections if count else 0)
        found = true[copies] + generator.normal(0, 6, (len(copies), 4))
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        is_right = generator.random(len(copies)) < 0.8
        guesses = np.where(is_right, labels[copies], generator.integers(0, classes, len(copies)))
        split.append(
            ScoredImage(
                image_id=str(number),
                size_hw=(750, 750),
                pixel_area=1.0,
                truth=Objects(labels, true, None),
                truth_areas=(true[:, 2:] - true[:, :2]).prod(axis=1),
                is_ignored=generator.random(count) < 0.02,
                found=Objects(guesses, found, None),
                scores=generator.random(len(copies)),
            )
        )
    return split


def box_promises(images: int, passes: int) -> Iterator[tuple[str, bool]]:
    """Time COCO's rule, print what all rules take, and yield what was promised.

    Raises:
        RuntimeError: The two programs do not agree to 1e-12.
    """
    for classes, detections in SPLITS:
        split = drawn_boxes(images, classes=classes, detections=detections)
        ways: dict[str, Callable[[], object]] = {
            REFERENCE: partial(coco_scores, split, classes, "bbox", reference=True),
            FAST: partial(coco_scores, split, classes, "bbox"),
            **{rule: partial(voc_scores, split, classes, rule=rule) for rule in PROTOCOLS},
            "kinds of errors": partial(detection_errors, split, classes),
        }
        check_programs(split, classes)
        seconds = timed(ways, passes)
        size = f"{images} images, {classes} classes, {detections} detections each"
        print(
            size + "".join(f"\n  {way:20} {each * 1000:8.1f} ms" for way, each in seconds.items())
        )
        gain = seconds[REFERENCE] / seconds[FAST]
        text = f"{size}: {FAST} {gain:.1f} times {REFERENCE} (at least {PROMISED_BOXES:g})"
        yield text, gain >= PROMISED_BOXES


def check_programs(split: Sequence[ScoredImage], classes: int) -> None:
    """Raise unless both programs say the same, to 1e-12."""
    reference = coco_scores(split, classes, "bbox", reference=True)
    fast = coco_scores(split, classes, "bbox")
    for one, other in (
        (tuple(reference.summary.values()), tuple(fast.summary.values())),
        (reference.class_ap, fast.class_ap),
    ):
        numbers = np.array([one, other], np.float64)  # None is NaN
        if not np.allclose(numbers[0], numbers[1], rtol=0, atol=1e-12, equal_nan=True):
            raise RuntimeError(f"{REFERENCE} and {FAST} must agree to 1e-12, and do not")


def promises(timings: Sequence[Timing]) -> Iterator[tuple[str, bool]]:
    """Yield what was promised, and whether it holds here."""
    seconds = {each.way: each.seconds for each in timings if each.thresholds == max(LISTS)}
    for way in ("ours, from maps", "ours, from the saved file"):
        gain = seconds["loop over thresholds"] / seconds[way]
        text = f"{max(LISTS)} thresholds, {way}: {gain:.1f} times the loop (at least {PROMISED:g})"
        yield text, gain >= PROMISED


def machine() -> str:
    """Return what the numbers were measured on."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{platform.machine()}, {torch.get_num_threads()} threads, load {load}, "
        f"Python {platform.python_version()}, {versions}"
    )


def print_table(timings: Sequence[Timing]) -> None:
    """Print a line per way, with its gain on the loop."""
    first: dict[int, float] = {}
    print(f"{'thresholds':>10}  {'way':40} {'ms':>10} {'gain':>8}")
    for each in timings:
        gain = first.setdefault(each.thresholds, each.seconds) / each.seconds
        print(f"{each.thresholds:10}  {each.way:40} {each.seconds * 1000:10.1f} {gain:8.1f}")


def main() -> int:
    """Measure, print, write; return 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--size", type=int, default=256, help="pixels, square; a multiple of 8")
    parser.add_argument("--classes", type=int, default=1)
    parser.add_argument("--box-images", type=int, default=500, help="of each split of boxes")
    parser.add_argument("--passes", type=int, default=3, help="the fastest one counts")
    parser.add_argument("--csv", type=Path, help="file for the numbers")
    asked = parser.parse_args()
    print(machine())
    maps = drawn(asked.images, asked.classes, asked.size)
    shape = "x".join(str(length) for length in maps.truth.shape)
    print(f"maps of {shape}, {PROBABILITY_BINS} bins")
    timings = sweeps(maps, asked.passes)
    print_table(timings)
    for name, seconds in costly(maps, asked.passes).items():
        print(f"{name}: {seconds * 1000:.1f} ms an image and class, at all its thresholds")
    if asked.csv is not None:
        with asked.csv.open("w", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(["way", "thresholds", "seconds"])
            rows.writerows([each.way, each.thresholds, f"{each.seconds:.6f}"] for each in timings)
    kept = True
    for text, is_kept in (*box_promises(asked.box_images, asked.passes), *promises(timings)):
        print(("kept      " if is_kept else "NOT KEPT  ") + text)
        kept &= is_kept
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
