"""What a classifier leaves of a picture: how probable each class is, and the likeliest drawn."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.predictions import ClassProbabilities
from studies.predicting.box_drawing import LETTER_HEIGHT, line_width, text_scale
from studies.predicting.choosing import ChosenRun
from studies.predicting.label_drawing import overlay_ending, overlay_file
from studies.predicting.networks import View
from studies.predicting.outputs import CLASS_TABLE, write_file
from studies.predicting.wishes import Wishes

GUESSES = 3  # likeliest classes that are drawn
DIGITS = 6  # decimals kept
COLUMNS = ("picture", "class", "probability")  # of the table, before one for each class
INK, DARKER = (255, 255, 255), 4  # of the letters; what the picture behind them is divided by
FONT, LARGER, MARGIN = cv2.FONT_HERSHEY_SIMPLEX, 1.3, 4  # than words at boxes; pixels
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PictureClasses:
    """Writes the classes of a run's pictures."""

    run: ChosenRun
    wishes: Wishes

    def files(self, name: str, size_hw: tuple[int, int]) -> dict[str, str]:
        """Return role -> file of a picture, relative to the output folder."""
        files = {"classes": f"classes/{name}.json"}
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
        said = views[0].prediction
        if not isinstance(said, ClassProbabilities):
            raise TypeError(f"pictures need probabilities of classes, got {type(said).__name__}")
        values = said.values.tolist()
        probabilities = {
            each: round(value, DIGITS)
            for each, value in zip(self.run.class_names, values, strict=True)
        }
        files = self.files(name, (pixels.shape[0], pixels.shape[1]))
        write_file(folder / files["classes"], json.dumps(probabilities).encode())
        # The first of equals, as in the confusion matrix.
        ordered = sorted(probabilities, key=lambda each: -probabilities[each])
        if self.wishes.overlay:
            _draw(pixels, [f"{each} {probabilities[each]:.2f}" for each in ordered[:GUESSES]])
            write_file(folder / files["overlay"], overlay_file(pixels))
        return {"files": files, "class": ordered[0], "probability": probabilities[ordered[0]]}

    def finish(self, folder: Path, images: Sequence[dict[str, Any]]) -> None:
        """Write a table of all pictures: the likeliest class, and the probability of every one."""
        rows: list[tuple[object, ...]] = [(*COLUMNS, *self.run.class_names)]
        for image in images:
            values = json.loads((folder / image["files"]["classes"]).read_text(encoding="utf-8"))
            every = (values[name] for name in self.run.class_names)
            rows.append((image["name"], image["class"], image["probability"], *every))
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(rows)
        write_file(folder / CLASS_TABLE, table.getvalue().encode(errors="surrogateescape"))


def _draw(pixels: Bytes, lines: Sequence[str]) -> None:
    """Write lines into the upper left corner of a picture, which is darkened there, in place."""
    scale, thick = LARGER * text_scale(pixels), line_width(pixels)
    height = round(1.2 * LETTER_HEIGHT * scale) + 2
    width = max(cv2.getTextSize(line, FONT, scale, thick)[0][0] for line in lines)
    corner = pixels[: len(lines) * height + height // 2, : width + 2 * MARGIN]
    corner //= DARKER
    for number, line in enumerate(lines, start=1):
        place = (MARGIN, number * height)
        cv2.putText(pixels, line, place, FONT, scale, INK, thick, cv2.LINE_AA)
