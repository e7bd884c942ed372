"""What an instance segmentation leaves of a picture: objects as COCO results, and an overlay."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from data_pipeline.loading.restoring import Restorer, restored_boxes
from models.checkpoints import write_atomically
from models.predictions import FoundObjects
from studies.predicting.choosing import ChosenRun
from studies.predicting.colours import Colour, class_colours
from studies.predicting.label_drawing import overlay_ending, overlay_file
from studies.predicting.networks import View
from studies.predicting.object_masks import ObjectMask, object_mask
from studies.predicting.outputs import write_file
from studies.predicting.wishes import LEAST_SCORE, Wishes

RESULTS = "coco_results.json"
PIXEL_DIGITS, SCORE_DIGITS = 2, 6  # decimals kept
TEXT_SHARE = 1 / 1000  # of the longer side: scale of OpenCV's font
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Object:
    """One object in pixels of the picture."""

    label: int  # of the run
    score: float
    box_xyxy: tuple[float, float, float, float]
    mask: ObjectMask


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
        """Write all objects as one file of COCO results.

        Pictures are numbered by their names where all of these are numbers, as COCO's are, else
        from 1 in the order of `predictions.json`; which, each picture's `image_id` there says.
        """
        results = []
        are_numbers = all(Path(each["name"]).name.isdecimal() for each in images)
        for number, image in enumerate(images, start=1):
            image["image_id"] = int(Path(image["name"]).name) if are_numbers else number
            objects = json.loads((folder / image["files"]["objects"]).read_text(encoding="utf-8"))
            results += [{"image_id": image["image_id"], **each} for each in objects]
        text = json.dumps(results).encode()
        write_atomically(folder / RESULTS, lambda stream: stream.write(text))

    def _objects(self, view: View, size_hw: tuple[int, int]) -> list[Object]:
        """Bring the chosen classes' objects back to the picture, the highest score first."""
        found = view.prediction
        if not isinstance(found, FoundObjects):
            raise TypeError(f"objects must be found by a detector, got {type(found).__name__}")
        member = self.run.members[0]
        threshold = self.wishes.threshold or member.threshold
        restorer = Restorer(view.place, size_hw, found.input_hw)
        boxes = restored_boxes(found.boxes_xyxy.numpy(), view.place, size_hw).tolist()
        return [
            Object(
                label=int(found.labels[index]),
                score=float(found.scores[index]),
                box_xyxy=box,
                mask=object_mask(
                    found.masks[index], restorer, found.input_hw, threshold=threshold
                ),
            )
            for index, box in enumerate(boxes)
            if self._is_chosen(int(found.labels[index]))
        ]

    def _is_chosen(self, label: int) -> bool:
        return not self.wishes.classes or self.run.class_names[label] in self.wishes.classes

    def _draw(self, pixels: Bytes, objects: Sequence[Object]) -> None:
        """Draw objects over the picture, the highest score on top."""
        colours = class_colours(self.run.class_names)
        least = LEAST_SCORE if self.wishes.least_score is None else self.wishes.least_score
        for each in reversed(objects):
            if each.score >= least:
                name = self.run.class_names[each.label]
                _draw_object(pixels, each, name, colours[each.label])


def _result(found: Object, size_hw: tuple[int, int]) -> dict[str, Any]:
    """Return an object as COCO results have it, without the picture's number."""
    left, top, right, bottom = found.box_xyxy
    box = (left, top, right - left, bottom - top)
    return {
        "category_id": found.label,
        "bbox": [round(value, PIXEL_DIGITS) for value in box],
        "score": round(found.score, SCORE_DIGITS),
        "segmentation": found.mask.run_lengths(size_hw),
    }


def _draw_object(pixels: Bytes, found: Object, name: str, colour: Colour) -> None:
    """Tint the mask by half, and draw outline, box, class and score."""
    part = pixels[found.mask.rows, found.mask.columns]
    tint = np.array(colour, np.uint8) // 2
    np.copyto(part, part // 2 + tint, where=found.mask.pixels[..., np.newaxis])
    scale = max(0.35, max(pixels.shape[:2]) * TEXT_SHARE)
    width = max(1, round(scale))
    outlines, _ = cv2.findContours(
        found.mask.pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    offset = (found.mask.left, found.mask.top)
    cv2.drawContours(pixels, outlines, -1, colour, width, offset=offset)
    left, top, right, bottom = (round(value) for value in found.box_xyxy)
    cv2.rectangle(pixels, (left, top), (right, bottom), colour, width)
    place = (left + 2, max(round(14 * scale) + 4, top - 4))
    words = f"{name} {found.score:.2f}"
    cv2.putText(pixels, words, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, width, cv2.LINE_AA)
