"""Detections from files of any format that is known, by what is in them.

coco_results   a JSON list of {"image_id", "category_id", "bbox", "score"}
visionstudy    predictions.json of `visionstudy predict`, or its folder
saved          predictions_<split>.json.gz of a trial
voc_results    a folder of comp4_det_<set>_<class>.txt 'image score x1 y1 x2 y2', or one file
yolo           a folder of text files 'class x y w h [score]' with shares
text           a folder of text files 'class score x1 y1 x2 y2'
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from studies.scoring.boxes.lines import (
    check_pixels,
    found_line,
    line_form,
    lines_of,
    voc_results_class,
    yolo_line,
)
from studies.scoring.boxes.records import (
    Corners,
    Found,
    FoundBox,
    FoundImage,
    UnusableBoxesError,
)
from studies.scoring.boxes.results_json import (
    PREDICTIONS,
    coco_results,
    is_list,
    visionstudy_results,
)
from studies.scoring.boxes.saved import is_saved, saved_found
from studies.scoring.boxes.truth_files import named, text_files

FoundFormat: TypeAlias = Literal[
    "coco_results", "visionstudy", "saved", "voc_results", "yolo", "text"
]
FOUND_FORMATS: tuple[FoundFormat, ...] = get_args(FoundFormat)
KINDS: Mapping[FoundFormat, str] = MappingProxyType(
    {
        "coco_results": "COCO results",
        "visionstudy": "predictions of visionstudy",
        "saved": "a trial's saved predictions",
        "voc_results": "VOC results by class",
        "yolo": "YOLO text",
        "text": "text lines of class, score and corners",
    }
)


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """Where detections are, and how they are to be read."""

    place: Path
    numbers: Mapping[int, str]  # class number -> name; {}: nobody says
    corners: Corners | None = None  # None: as is usual with the format


def found_format(place: Path) -> FoundFormat:
    """Tell the format of detections.

    Raises:
        UnusableBoxesError: They are of none that is known.
    """
    form = _folder_format(place) if place.is_dir() else _file_format(place)
    if form is None:
        got = "a folder without any" if place.is_dir() else "another kind of file"
        raise UnusableBoxesError(
            f"PREDICTIONS {place} must be COCO results (.json), predictions.json of visionstudy "
            "predict or its folder, a trial's predictions_<split>.json.gz, or a folder of text "
            "files 'class score x1 y1 x2 y2', of YOLO's or of VOC's comp4_det_…_<class>.txt, got "
            f"{got if place.exists() else 'no such file or folder'}; correct the path"
        )
    return form


def read_found(files: FoundFiles, form: FoundFormat) -> Found:
    """Read detections.

    Raises:
        UnusableBoxesError: They are not in this format or damaged; the message says where.
    """
    return READERS[form](files)


def _folder_format(folder: Path) -> FoundFormat | None:
    if (folder / PREDICTIONS).is_file():
        return "visionstudy"
    texts = list(text_files(folder).values())
    if any(voc_results_class(file) for file in texts):
        return "voc_results"
    return line_form(texts, "found") if texts else None


def _file_format(file: Path) -> FoundFormat | None:
    if not file.is_file():
        return None
    if is_saved(file):
        return "saved"
    if file.suffix.lower() == ".json":
        return "coco_results" if is_list(file) else "visionstudy"
    return "voc_results" if voc_results_class(file) else None


def _coco_results(files: FoundFiles) -> Found:
    return coco_results(files.place, files.numbers, kind=KINDS["coco_results"])


def _visionstudy(files: FoundFiles) -> Found:
    return visionstudy_results(files.place, kind=KINDS["visionstudy"])


def _saved(files: FoundFiles) -> Found:
    return saved_found(files.place, KINDS["saved"])


def _voc_results(files: FoundFiles) -> Found:
    texts = list(text_files(files.place).values()) if files.place.is_dir() else [files.place]
    boxes: dict[str, list[FoundBox]] = defaultdict(list)
    for file in texts:
        label = voc_results_class(file)
        if label is None:
            raise UnusableBoxesError(
                f"every file of VOC results must be called comp4_det_<set>_<class>.txt, got {file}"
                "; take it away"
            )
        for number, line in lines_of(file):
            name, score, box = found_line(
                file, number, line, corners=files.corners or "pixels_from_1"
            )
            boxes[name].append(FoundBox(label, score, box))
    images = tuple(FoundImage(name, tuple(found)) for name, found in boxes.items())
    return Found(KINDS["voc_results"], images)


def _yolo(files: FoundFiles) -> Found:
    images, without_score = [], 0
    for name, file in text_files(files.place).items():
        boxes = []
        for number, line in lines_of(file):
            label, score, box = yolo_line(file, number, line, files.numbers)
            without_score += score is None
            boxes.append(FoundBox(label, 1.0 if score is None else score, box))
        images.append(FoundImage(name, tuple(boxes)))
    return Found(
        KINDS["yolo"],
        tuple(images),
        is_normalised=True,
        is_per_image=True,
        without_score=without_score,
    )


def _text(files: FoundFiles) -> Found:
    images = []
    for name, file in text_files(files.place).items():
        boxes = []
        for number, line in lines_of(file):
            label, score, box = found_line(file, number, line, corners=files.corners or "edges")
            boxes.append(FoundBox(named(label, files.numbers), score, box))
        images.append(FoundImage(name, tuple(boxes)))
    if files.corners is None:
        check_pixels((box.box_xyxy for each in images for box in each.boxes), files.place, "found")
    return Found(
        KINDS["text"],
        tuple(images),
        is_normalised=files.corners == "shares",
        is_per_image=True,
    )


READERS: Mapping[FoundFormat, Callable[[FoundFiles], Found]] = MappingProxyType(
    {
        "coco_results": _coco_results,
        "visionstudy": _visionstudy,
        "saved": _saved,
        "voc_results": _voc_results,
        "yolo": _yolo,
        "text": _text,
    }
)
