"""Detections in JSON: COCO results, and what `visionstudy predict` leaves."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipeline.datasets.records import Box
from studies.scoring.boxes.lines import class_of
from studies.scoring.boxes.records import Found, FoundBox, FoundImage, UnusableBoxesError, is_box

PREDICTIONS, RESULTS = "predictions.json", "coco_results.json"
RULE = '{"image_id", "category_id", "bbox": [x, y, width, height], "score"}'
SHOWN = 100  # characters of an entry in a message


def is_list(file: Path) -> bool:
    """Tell whether the JSON of a file is a list, by its first character."""
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        return stream.read(64).lstrip().startswith("[")


def coco_results(file: Path, numbers: Mapping[int, str], *, kind: str) -> Found:
    """Read COCO results.

    Args:
        file: JSON.
        numbers: Category -> class.
        kind: What the format is called.

    Raises:
        UnusableBoxesError: The file is none; the message names the entry.
    """
    boxes: dict[str, list[FoundBox]] = defaultdict(list)
    for number, entry in enumerate(_entries(file)):
        image, box = _found_box(file, number, entry, numbers)
        boxes[image].append(box)
    images = tuple(FoundImage(name, tuple(found)) for name, found in boxes.items())
    return Found(kind, images, has_ids=True)


def visionstudy_results(place: Path, *, kind: str) -> Found:
    """Read the output folder of `visionstudy predict`, by it or its `predictions.json`.

    Raises:
        UnusableBoxesError: It holds no boxes.
    """
    file = place / PREDICTIONS if place.is_dir() else place
    content = _content(file)
    results = file.parent / RESULTS
    try:
        names = {int(each["index"]): str(each["name"]) for each in content["classes"]}
        images = {str(each["image_id"]): str(each["name"]) for each in content["images"]}
    except (KeyError, TypeError, ValueError) as error:
        raise UnusableBoxesError(
            f"{file} must be predictions.json of a detector, with classes and images that have an "
            f"image_id ({error!r}); COCO results are a JSON list instead"
        ) from error
    found = coco_results(results, names, kind=kind)
    by_number = {each.name: each.boxes for each in found.images}
    unknown = sorted(by_number.keys() - images.keys())
    if unknown:
        raise UnusableBoxesError(
            f"every image_id of {results} must be in {file.name} beside it, but {unknown[0]} is "
            "not; predict again"
        )
    return Found(
        kind,
        tuple(FoundImage(name, by_number.get(number, ())) for number, name in images.items()),
        is_per_image=True,
    )


def _entries(file: Path) -> list[Any]:
    content = _content(file)
    if not isinstance(content, list):
        found = ", ".join(content)[:SHOWN] if isinstance(content, dict) else type(content).__name__
        raise UnusableBoxesError(
            f"COCO results {file} must be a list of {RULE}, got {found}; "
            "a ground truth comes first: GT PREDICTIONS"
        )
    return content


def _content(file: Path) -> Any:  # noqa: ANN401  # it is JSON
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UnusableBoxesError(f"cannot read {file}: {error.strerror}; restore it") from error
    except json.JSONDecodeError as error:
        raise UnusableBoxesError(
            f"{file}:{error.lineno}:{error.colno} must be JSON: {error.msg}; restore the file"
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise UnusableBoxesError(f"{file} must be JSON: {error}; restore the file") from error


def _found_box(
    file: Path, number: int, entry: object, numbers: Mapping[int, str]
) -> tuple[str, FoundBox]:
    match entry:
        case {
            "image_id": int() | str() as image,
            "category_id": int() as category,
            "bbox": bbox,
            "score": int() | float() as score,
        } if (box := _box(bbox)) is not None and math.isfinite(score):
            return str(image), FoundBox(class_of(category, numbers), float(score), box)
    raise UnusableBoxesError(
        f"{file}: entry {number} (from 0) must be {RULE} with finite numbers and no side below 0, "
        f"got {str(entry)[:SHOWN]}; correct it"
    )


def _box(stated: object) -> Box | None:
    if not isinstance(stated, list) or len(stated) != 4 or not all(map(_is_number, stated)):
        return None
    x, y, width, height = map(float, stated)
    box = (x, y, x + width, y + height)
    return box if is_box(box) else None


def _is_number(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)  # type: ignore[arg-type]
