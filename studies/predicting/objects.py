"""What a detector leaves of a picture: objects as COCO results and in a table, and an overlay."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from data_pipeline.loading.restoring import Restorer, restored_boxes
from models.predictions import FoundObjects
from studies.predicting.box_drawing import draw_box, line_width
from studies.predicting.choosing import ChosenRun
from studies.predicting.colours import Colour, class_colours
from studies.predicting.label_drawing import overlay_ending, overlay_file
from studies.predicting.networks import View
from studies.predicting.object_masks import ObjectMask, object_mask
from studies.predicting.outputs import RESULTS, TABLE, write_file
from studies.predicting.wishes import LEAST_SCORE, Wishes

PIXEL_DIGITS, SCORE_DIGITS = 2, 6  # decimals kept
COLUMNS = ("picture", "class", "score", "left", "top", "right", "bottom")  # of the table
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Object:
    """One object in pixels of the picture."""

    label: int  # of the run
    score: float
    box_xyxy: tuple[float, float, float, float]
    mask: ObjectMask | None  # of a detector of boxes


@dataclass(frozen=True, slots=True)
class Objects:
    """Writes the objects of a run's pictures."""

    run: ChosenRun
    wishes: Wishes

    def files(self, name: str, size_hw: tuple[int, int]) -> dict[str, str]:
        """Return role -> file of a picture, relative to the output folder."""
        files = {"objects": f"objects/{name}.json"}
        if self.wishes.overlay:
            files["overlay"] = f"overlays/{name}.{overlay_ending(size_hw)}"
        return files

    def write(
        self, folder: Path, name: str, pixels: Bytes, *, views: Sequence[View]
    ) -> dict[str, Any]:
        """Write the files of a picture; return what `predictions.json` says of it.

        Args:
            folder: The output folder.
            name: Of the picture's outputs.
            pixels: (h, w, 3) RGB; drawn over.
            views: Of the one network.
        """
        size_hw = (pixels.shape[0], pixels.shape[1])
        objects = self._objects(views[0], size_hw)
        files = self.files(name, size_hw)
        results = [_result(each, size_hw) for each in objects]
        write_file(folder / files["objects"], json.dumps(results).encode())
        if self.wishes.overlay:
            self._draw(pixels, objects)
            write_file(folder / files["overlay"], overlay_file(pixels))
        counts = {
            each: sum(found.label == label for found in objects)
            for label, each in enumerate(self.run.class_names)
        }
        return {"files": files, "objects": counts}

    def finish(self, folder: Path, images: Sequence[dict[str, Any]]) -> None:
        """Write all objects as one file of COCO results, and as a table.

        Pictures are numbered by their names where all of these are different numbers, as COCO's
        are, else from 1 in the order of `predictions.json`; which, each picture's `image_id` there
        says.
        """
        results: list[dict[str, Any]] = []
        rows: list[tuple[object, ...]] = [COLUMNS]
        for number, image in zip(_numbers(images), images, strict=True):
            image["image_id"] = number
            objects = json.loads((folder / image["files"]["objects"]).read_text(encoding="utf-8"))
            results += [{"image_id": image["image_id"], **each} for each in objects]
            rows += [(image["name"], *self._cells(each)) for each in objects]
        write_file(folder / RESULTS, json.dumps(results).encode())
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(rows)
        write_file(folder / TABLE, table.getvalue().encode(errors="surrogateescape"))

    def _cells(self, result: dict[str, Any]) -> tuple[object, ...]:
        """Return a line of the table, without the picture's name."""
        left, top, width, height = result["bbox"]
        right, bottom = (round(value, PIXEL_DIGITS) for value in (left + width, top + height))
        name = self.run.class_names[result["category_id"]]
        return (name, result["score"], left, top, right, bottom)

    def _objects(self, view: View, size_hw: tuple[int, int]) -> list[Object]:
        """Bring the chosen classes' objects back to the picture, the highest score first."""
        found = view.prediction
        if not isinstance(found, FoundObjects):
            raise TypeError(f"objects must be found by a detector, got {type(found).__name__}")
        masks = self._masks(found, Restorer(view.place, size_hw, found.input_hw))
        boxes = restored_boxes(found.boxes_xyxy.numpy(), view.place, size_hw).tolist()
        return [
            Object(
                label=int(found.labels[index]),
                score=float(found.scores[index]),
                box_xyxy=box,
                mask=masks(index),
            )
            for index, box in enumerate(boxes)
            if self._is_chosen(int(found.labels[index]))
        ]

    def _masks(
        self, found: FoundObjects, restorer: Restorer
    ) -> Callable[[int], ObjectMask | None]:
        """Return what brings an object's mask back to the picture, if it has one."""
        threshold = self.wishes.threshold or self.run.members[0].threshold

        def restored(index: int) -> ObjectMask | None:
            if found.masks is None:
                return None
            mask = found.masks[index]
            return object_mask(mask, restorer, found.input_hw, threshold=threshold)

        return restored

    def _is_chosen(self, label: int) -> bool:
        return not self.wishes.classes or self.run.class_names[label] in self.wishes.classes

    def _draw(self, pixels: Bytes, objects: Sequence[Object]) -> None:
        """Draw objects over the picture, the highest score on top."""
        colours = class_colours(self.run.class_names)
        least = least_drawn_score(self.run, self.wishes)
        for each in reversed(objects):
            if each.score >= least:
                name = self.run.class_names[each.label]
                _draw_object(pixels, each, name, colours[each.label])


def least_drawn_score(run: ChosenRun, wishes: Wishes) -> float:
    """Return the score from which objects are drawn.

    That which was wished; else of boxes the run's threshold, which is of scores, and of masks,
    whose threshold is of pixels, LEAST_SCORE.
    """
    if wishes.least_score is not None:
        return wishes.least_score
    return run.members[0].threshold if run.task == "object_detection" else LEAST_SCORE


def _numbers(images: Sequence[dict[str, Any]]) -> Sequence[int]:
    """Return a number for each picture, no two alike."""
    names = [Path(each["name"]).name for each in images]
    numbers = [int(name) for name in names if name.isdecimal()]
    is_each_its_own = len(set(numbers)) == len(names)
    return numbers if is_each_its_own else range(1, len(names) + 1)


def _result(found: Object, size_hw: tuple[int, int]) -> dict[str, Any]:
    """Return an object as COCO results have it, without the picture's number."""
    left, top, right, bottom = found.box_xyxy
    box = (left, top, right - left, bottom - top)
    result = {
        "category_id": found.label,
        "bbox": [round(value, PIXEL_DIGITS) for value in box],
        "score": round(found.score, SCORE_DIGITS),
    }
    if found.mask is not None:
        result["segmentation"] = found.mask.run_lengths(size_hw)
    return result


def _draw_object(pixels: Bytes, found: Object, name: str, colour: Colour) -> None:
    """Draw box, class and score, and the mask where there is one."""
    if found.mask is not None:
        _draw_mask(pixels, found.mask, colour, width=line_width(pixels))
    draw_box(pixels, found.box_xyxy, f"{name} {found.score:.2f}", colour)


def _draw_mask(pixels: Bytes, mask: ObjectMask, colour: Colour, *, width: int) -> None:
    """Tint the mask by half, and draw its outline."""
    part = pixels[mask.rows, mask.columns]
    tint = np.array(colour, np.uint8) // 2
    np.copyto(part, part // 2 + tint, where=mask.pixels[..., np.newaxis])
    outlines, _ = cv2.findContours(
        mask.pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(pixels, outlines, -1, colour, width, offset=(mask.left, mask.top))
