"""Predict pictures, a batch at a time; what is finished stays finished.

    pictures ──read ahead──► batch ──networks──► views ──writer──► files, predictions.json

`predictions.json` is written every few seconds and at the end, however that comes: after a kill
only the pictures since then are predicted again.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray

from data_pipeline.errors import DataError, unknown_name
from data_pipeline.loading.delivery import ahead
from data_pipeline.loading.unlabelled import read_picture
from models.loss_settings import SOFTMAX_LOSSES
from models.metrics.names import BACKGROUND
from studies.predicting.choosing import ChosenRun
from studies.predicting.label_maps import LabelMaps
from studies.predicting.networks import Networks, View, open_networks
from studies.predicting.objects import Objects
from studies.predicting.outputs import FOLDERS, Writer, make_folder, written_in
from studies.predicting.picture_classes import PictureClasses
from studies.predicting.pictures import Picture, find_pictures
from studies.predicting.record import PredictionsRecord, check_folder, open_record, stamp
from studies.predicting.wishes import Wishes

MOST_HELD_BYTES = 150_000_000  # of a batch's pictures; a larger picture is the last of its batch
SAVE_INTERVAL_S = 5.0
Progress = Callable[[int, int], None]  # pictures done, of how many
Bytes = NDArray[np.uint8]


WRITERS: Mapping[str, Callable[[ChosenRun, Wishes], Writer]] = MappingProxyType(
    {
        "semantic_segmentation": LabelMaps,
        "instance_segmentation": Objects,
        "object_detection": Objects,
        "image_classification": PictureClasses,
    }
)


class UnusableWishError(ValueError):
    """What was asked for does not fit the run."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """What came of it."""

    record: PredictionsRecord
    pictures: int
    predicted: int  # now; the others were done already, or skipped
    seconds: float  # of predicting, without building the networks


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures that go through the networks together, and those that cannot be read."""

    pictures: tuple[Picture, ...]
    pixels: tuple[Bytes, ...]
    broken: tuple[tuple[Picture, str], ...]


def predict(
    run: ChosenRun,
    given: Sequence[str],
    folder: Path,
    *,
    wishes: Wishes,
    device: torch.device,
    progress: Progress,
) -> Predicted:
    """Predict pictures with a run's networks.

    Args:
        run: What to predict with.
        given: Files, folders and patterns.
        folder: Where to; what is there of the same run is not done again.
        wishes: What is wanted.
        device: Where the networks run.
        progress: Told how far it is.

    Raises:
        UnusableWishError: A wish does not fit the run.
        NoPictureError: Nothing is there to predict.
        OtherPredictionsError: The folder holds other predictions.
        UnwritableOutputError: The folder cannot be written to.
        UnusableWeightsError: A network cannot be built.
        OutOfMemory: The device's memory does not hold a batch.
    """
    check_wishes(run, wishes)
    written = [folder / each for each in FOLDERS]
    find_pictures(given, {}, without=written)  # before the networks are built, which takes longer
    writer = WRITERS[run.task](run, wishes)
    if not wishes.overwrite:
        check_folder(folder, written_in(writer))
    make_folder(folder)
    networks = open_networks(run, device)
    record = open_record(folder, run, wishes, precisions=networks.precisions)
    pictures = find_pictures(given, record.names(), without=written)
    work = _Work(writer, networks, record)
    left = [each for each in pictures if wishes.overwrite or not work.is_done(each)]
    done, started_at = len(pictures) - len(left), time.monotonic()
    progress(done, len(pictures))
    try:
        record.clear_replaced()
        record.save()
        for batch in ahead(read_batches(left, run, wishes), 1):
            work.do(batch)
            done += len(batch.pictures) + len(batch.broken)
            progress(done, len(pictures))
        work.finish()
    finally:
        record.save()
    return Predicted(record, len(pictures), work.predicted, time.monotonic() - started_at)


def read_batches(pictures: Sequence[Picture], run: ChosenRun, wishes: Wishes) -> Iterator[Batch]:
    """Yield pictures in batches of the size that the run was scored with, or of that wanted."""
    most = wishes.batch_size or min(member.scored_batch for member in run.members)
    held: list[tuple[Picture, Bytes]] = []
    broken: list[tuple[Picture, str]] = []
    for picture in pictures:
        try:
            held.append((picture, read_picture(picture.file, run.members[0].settings.data)))
        except DataError as error:
            broken.append((picture, str(error)))
        if len(held) == most or sum(each.size for _, each in held) > MOST_HELD_BYTES:
            yield _batch(held, broken)
            held, broken = [], []
    if held or broken:
        yield _batch(held, broken)


def check_wishes(run: ChosenRun, wishes: Wishes) -> None:
    """Refuse what the run cannot do, or what would have no effect.

    Raises:
        UnusableWishError: Says what, and what to do.
    """
    if run.task not in WRITERS:
        known = ", ".join(WRITERS)
        raise UnusableWishError(f"task '{run.task}' cannot be predicted yet, only {known} can")
    shown = [name for name in run.class_names if name != BACKGROUND]
    for name in wishes.classes:
        if name not in shown:
            raise UnusableWishError(unknown_name(f"class of run '{run.study}'", name, shown))
    for name, why in _without_effect(run, wishes).items():
        raise UnusableWishError(f"{name} has no effect {why}; leave it out")


def _without_effect(run: ChosenRun, wishes: Wishes) -> dict[str, str]:
    """Return which wishes change nothing, and why."""
    found: dict[str, str] = {}
    if run.task == "image_classification":
        return _asked_of_whole_pictures(wishes)
    if run.task != "semantic_segmentation":
        if wishes.probabilities:
            found["--probabilities"] = "on objects, whose masks have no map of their own"
        if wishes.threshold is not None and run.task == "object_detection":
            found["--threshold"] = "on boxes, of which --least-score says what is drawn"
        return found
    if wishes.least_score is not None:
        found["--least-score"] = "on label maps, in which there are no objects"
    losses = {str(member.settings.training.loss) for member in run.members}
    if wishes.threshold is not None and losses <= set(SOFTMAX_LOSSES):
        names = ", ".join(sorted(losses))
        found["--threshold"] = f"with loss {names}, where a pixel gets its most probable label"
    return found


def _asked_of_whole_pictures(wishes: Wishes) -> dict[str, str]:
    """Return what is wanted of pixels or objects, where a picture has one class."""
    asked = {
        "--class": bool(wishes.classes),
        "--probabilities": wishes.probabilities,
        "--threshold": wishes.threshold is not None,
        "--least-score": wishes.least_score is not None,
    }
    why = "on whole pictures, of which every class's probability is written"
    return {name: why for name, is_asked in asked.items() if is_asked}


class _Work:
    """What is left of the pictures."""

    def __init__(self, writer: Writer, networks: Networks, record: PredictionsRecord) -> None:
        self.predicted = 0
        self._writer = writer
        self._networks = networks
        self._record = record
        self._saved_at = time.monotonic()

    def is_done(self, picture: Picture) -> bool:
        """Whether a picture's files are there, as they are wanted."""
        entry = self._record.images.get(str(picture.file))
        if entry is None:
            return False
        files = self._writer.files(picture.name, (entry["height"], entry["width"]))
        return self._record.is_done(picture, files)

    def do(self, batch: Batch) -> None:
        """Predict a batch and write it down."""
        for picture, reason in batch.broken:
            self._record.skip(str(picture.file), reason)
        if batch.pictures:
            views = self._networks.views(batch.pixels)
            for picture, pixels, seen in zip(batch.pictures, batch.pixels, views, strict=True):
                self._write(picture, pixels, seen)
        self.predicted += len(batch.pictures)
        if time.monotonic() - self._saved_at > SAVE_INTERVAL_S:
            self._record.save()
            self._saved_at = time.monotonic()

    def finish(self) -> None:
        """Write what is of all pictures together."""
        self._record.forget_lost()
        self._writer.finish(self._record.folder, self._record.in_order())

    def _write(self, picture: Picture, pixels: Bytes, views: Sequence[View]) -> None:
        made_of = stamp(picture.file)
        written = self._writer.write(self._record.folder, picture.name, pixels, views=views)
        entry = {
            "name": picture.name,
            "height": pixels.shape[0],
            "width": pixels.shape[1],
            "stamp": made_of,
            **written,
        }
        self._record.add(str(picture.file), entry)


def _batch(held: list[tuple[Picture, Bytes]], broken: list[tuple[Picture, str]]) -> Batch:
    return Batch(
        tuple(picture for picture, _ in held), tuple(pixels for _, pixels in held), tuple(broken)
    )
