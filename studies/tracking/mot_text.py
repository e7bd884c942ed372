"""The text format of MOTChallenge: a line per box, of true objects, of detections, of tracks.

    frame, id, x, y, width, height, confidence, …

Frames count from 1, and so do pixels: x and y of a box in the picture's upper left corner are 1,
where `MotBoxes` has 0. Numbers behind the confidence (class, visibility, place in the world) are
not read. Numbers stand between commas or blanks.

UnusableTracksError    files cannot be read, or do not belong together
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.text_lines import SHOWN, numbered_lines
from data_pipeline.errors import DataError
from studies.text_numbers import finite_number

# detections: of any id, usually -1; tracks: each id once a frame; truth: as tracks, and a
# confidence of 0 marks boxes that are not scored.
Kind: TypeAlias = Literal["detections", "tracks", "truth"]
FORM = "'frame,id,x,y,width,height[,confidence,…]'"
LAST_FRAME = 10_000_000  # four days of video; a larger number is a mistake
FIRST_PIXEL = 1.0
LEAST_SIDE = 0.01  # pixels; what is written has two decimals, and a side of 0 is not read back


class UnusableTracksError(Exception):
    """Tracks or detections cannot be read, followed or compared."""


@dataclass(frozen=True, slots=True)
class MotBoxes:
    """The boxes of a file, by frame."""

    frames: NDArray[np.int64]  # (n,) from 1, ascending
    ids: NDArray[np.int64]  # (n,)
    boxes_xyxy: NDArray[np.float64]  # (n, 4) pixels, the picture's edge at 0
    scores: NDArray[np.float64]  # (n,) confidences; 1 where the file has none

    def __len__(self) -> int:
        return len(self.frames)


NO_BOXES = MotBoxes(
    np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)), scores=np.zeros(0)
)


def read_mot(file: Path, kind: Kind) -> MotBoxes:
    """Read a file.

    Raises:
        UnusableTracksError: It cannot be read, or a line is wrong; the message says which.
    """
    rows: list[tuple[float, ...]] = []
    seen: dict[tuple[float, float], int] = {}  # (frame, id) -> line
    try:
        for number, line in numbered_lines(file):
            row = _row(f"{file}:{number}", line)
            if kind != "detections":
                _check_identity(f"{file}:{number}", row, seen, number)
            if kind != "truth" or row[6] != 0:
                rows.append(row)
    except DataError as error:
        raise UnusableTracksError(str(error)) from error
    table = np.array(rows, np.float64).reshape(-1, 7)
    table = table[np.argsort(table[:, 0], kind="stable")]
    corners = table[:, 2:4] - FIRST_PIXEL
    return MotBoxes(
        frames=table[:, 0].astype(np.int64),
        ids=table[:, 1].astype(np.int64),
        boxes_xyxy=np.hstack([corners, corners + table[:, 4:6]]),
        scores=table[:, 6],
    )


def write_mot(boxes: MotBoxes) -> str:
    """Return boxes as text, by frame and id; hundredths of a pixel, -1 for what is not known."""
    order = np.lexsort((boxes.ids, boxes.frames))
    lines = []
    for row in order:
        x1, y1, x2, y2 = boxes.boxes_xyxy[row]
        width, height = max(x2 - x1, LEAST_SIDE), max(y2 - y1, LEAST_SIDE)
        place = f"{x1 + FIRST_PIXEL:.2f},{y1 + FIRST_PIXEL:.2f},{width:.2f},{height:.2f}"
        known = f"{boxes.frames[row]},{boxes.ids[row]},{place},{boxes.scores[row]:.6g}"
        lines.append(f"{known},-1,-1,-1\n")
    return "".join(lines)


def _row(where: str, line: str) -> tuple[float, ...]:
    """Return frame, id, x, y, width, height, confidence of a line."""
    parts = line.replace(",", " ").split()
    values = [finite_number(part) for part in parts[:7]]
    numbers = [value for value in values if value is not None]
    if len(values) < 6 or len(numbers) < len(values):
        raise UnusableTracksError(
            f"{where} must be numbers {FORM}, got {line[:SHOWN]!r}; correct or delete the line"
        )
    frame, identity, _, _, width, height = numbers[:6]
    _check(
        where,
        "frame",
        frame,
        must=f"a whole number from 1 to {LAST_FRAME}",
        holds=(frame.is_integer() and 1 <= frame <= LAST_FRAME),
    )
    _check(where, "id", identity, must="a whole number", holds=identity.is_integer())
    for name, side in (("width", width), ("height", height)):
        _check(where, name, side, must="above 0", holds=side > 0)
    return (*numbers, 1.0)[:7]


def _check_identity(
    where: str, row: tuple[float, ...], seen: dict[tuple[float, float], int], number: int
) -> None:
    """Note an object's place in a frame, of which it has one."""
    frame, identity = row[:2]
    _check(where, "id", identity, must="0 or above, the object's own", holds=identity >= 0)
    before = seen.setdefault((frame, identity), number)
    if before != number:
        raise UnusableTracksError(
            f"{where} must be of an object that is once in a frame, got id {identity:g} in frame "
            f"{frame:g} again (first in line {before}); correct or delete one of the lines"
        )


def _check(where: str, name: str, value: float, *, must: str, holds: bool) -> None:
    if not holds:
        raise UnusableTracksError(
            f"{where}: {name} must be {must}, got {value:g}; correct or delete the line"
        )
