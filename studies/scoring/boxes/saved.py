"""`predictions_<split>.json.gz` of a trial: truth and detections, as the network saw them."""

from pathlib import Path

import numpy as np

from data_pipeline.datasets.records import Box, ImageRecord, ObjectRecord
from models.metrics.coco_files import SavedBoxes, load_scored_boxes
from studies.scoring.boxes.records import (
    Found,
    FoundBox,
    FoundImage,
    TrueImage,
    Truth,
    UnusableBoxesError,
)

GZIP = b"\x1f\x8b"


def is_saved(file: Path) -> bool:
    """Tell whether a file is compressed, as these are."""
    with file.open("rb") as stream:
        return stream.read(len(GZIP)) == GZIP


def saved_truth(file: Path, kind: str) -> Truth:
    """Read the true boxes.

    Raises:
        UnusableBoxesError: The file is none of a trial.
    """
    saved = _saved(file)
    images = []
    for image in saved.images:
        objects = tuple(
            ObjectRecord(saved.class_names[label], _box(box), area=area, is_crowd=is_crowd)
            for label, box, area, is_crowd in zip(
                image.truth.labels.tolist(),
                image.truth.boxes_xyxy,
                image.truth_areas.tolist(),
                image.is_ignored.tolist(),
                strict=True,
            )
        )
        record = ImageRecord(image.image_id, image.image_id, image.size_hw, objects)
        images.append(TrueImage(record, image.pixel_area))
    return Truth(kind, tuple(images), saved.class_names)


def saved_found(file: Path, kind: str) -> Found:
    """Read the detections.

    Raises:
        UnusableBoxesError: The file is none of a trial.
    """
    saved = _saved(file)
    images = []
    for image in saved.images:
        boxes = tuple(
            FoundBox(saved.class_names[label], score, _box(box))
            for label, score, box in zip(
                image.found.labels.tolist(),
                image.scores.tolist(),
                image.found.boxes_xyxy,
                strict=True,
            )
        )
        images.append(FoundImage(image.image_id, boxes, image.size_hw))
    return Found(kind, tuple(images), has_ids=True)


def _saved(file: Path) -> SavedBoxes:
    try:
        return load_scored_boxes(file)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise UnusableBoxesError(
            f"{file} must be predictions_<split>.json.gz of a trial of a detector: {reason}"
        ) from error


def _box(corners: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Box:
    x1, y1, x2, y2 = corners.tolist()
    return x1, y1, x2, y2
