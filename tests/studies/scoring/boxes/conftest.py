"""Two streets, written as every format of truth and of detections there is."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WIDTH, HEIGHT = 200, 100
Box = tuple[float, float, float, float]
TRUE: dict[str, list[tuple[str, Box, bool]]] = {  # difficult or a crowd
    "street": [("car", (10, 10, 50, 50), False), ("bus", (100, 20, 180, 80), False)],
    "square": [("car", (20, 40, 60, 90), False), ("car", (150, 10, 190, 30), True)],
}
FOUND: dict[str, list[tuple[str, float, Box]]] = {
    "street": [("car", 0.9, (10, 10, 50, 47)), ("car", 0.7, (90, 60, 120, 90))],
    "square": [("car", 0.8, (20, 40, 60, 90)), ("car", 0.6, (150, 10, 190, 30))],
}
CLASSES = ("bus", "car")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Write the pictures, black."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in TRUE:
        Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def class_list(tmp_path: Path) -> Path:
    """Write the names of the class numbers."""
    file = tmp_path / "classes.names"
    file.write_text("\n".join(CLASSES))
    return file


@pytest.fixture
def truth(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes the true boxes in a format."""

    def write(form: str) -> Path:
        place = tmp_path / f"truth_{form}"
        return {
            "coco": coco_truth,
            "open_images": open_images_truth,
            "voc": voc_truth,
            "yolo": yolo_truth,
            "text": text_truth,
        }[form](place)

    return write


@pytest.fixture
def found(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes the detections in a format."""

    def write(form: str) -> Path:
        place = tmp_path / f"found_{form}"
        return {
            "coco_results": coco_found,
            "visionstudy": visionstudy_found,
            "voc_results": voc_found,
            "yolo": yolo_found,
            "text": text_found,
        }[form](place)

    return write


def coco_truth(place: Path) -> Path:
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": 1 + CLASSES.index(label),
            "bbox": xywh(box),
            "area": (box[2] - box[0]) * (box[3] - box[1]),
            "iscrowd": int(is_ignored),
        }
        for image, boxes in enumerate(TRUE.values(), start=7)
        for number, (label, box, is_ignored) in enumerate(boxes, start=10 * image)
    ]
    file = place.with_suffix(".json")
    images = [
        {"id": image, "file_name": f"{name}.png", "width": WIDTH, "height": HEIGHT}
        for image, name in enumerate(TRUE, start=7)
    ]
    categories = [{"id": 1 + label, "name": name} for label, name in enumerate(CLASSES)]
    file.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return file


def open_images_truth(place: Path) -> Path:
    place.mkdir(exist_ok=True)
    (place / "class-descriptions-boxable.csv").write_text("/m/1,bus\n/m/2,car\n")
    rows = ["ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf"]
    for name, boxes in TRUE.items():
        for label, (x1, y1, x2, y2), is_ignored in boxes:
            shares = f"{x1 / WIDTH},{x2 / WIDTH},{y1 / HEIGHT},{y2 / HEIGHT}"
            rows.append(f"{name},/m/{1 + CLASSES.index(label)},{shares},{int(is_ignored)}")
    file = place / "validation-annotations-bbox.csv"
    file.write_text("\n".join(rows))
    return file


def voc_truth(place: Path) -> Path:
    folder = place / "Annotations"
    folder.mkdir(parents=True, exist_ok=True)
    for name, boxes in TRUE.items():
        objects = "".join(
            f"<object><name>{label}</name><difficult>{int(is_ignored)}</difficult><bndbox>"
            f"<xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
            "</bndbox></object>"
            for label, (x1, y1, x2, y2), is_ignored in boxes
        )
        size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
        (folder / f"{name}.xml").write_text(f"<annotation>{size}{objects}</annotation>")
    return place


def yolo_truth(place: Path) -> Path:
    """Write what YOLO can say: nothing is difficult, so that object is left out."""
    place.mkdir(exist_ok=True)
    for name, boxes in TRUE.items():
        lines = [yolo_line(label, box) for label, box, is_ignored in boxes if not is_ignored]
        (place / f"{name}.txt").write_text("\n".join(lines))
    return place


def text_truth(place: Path) -> Path:
    place.mkdir(exist_ok=True)
    for name, boxes in TRUE.items():
        lines = [
            f"{label} {' '.join(map(str, box))}{' difficult' if is_ignored else ''}"
            for label, box, is_ignored in boxes
        ]
        (place / f"{name}.txt").write_text("\n".join(lines))
    return place


def coco_found(place: Path) -> Path:
    file = place.with_suffix(".json")
    file.write_text(json.dumps(results(1)))
    return file


def visionstudy_found(place: Path) -> Path:
    place.mkdir(exist_ok=True)
    images = [
        {"source": f"{name}.png", "name": name, "image_id": 7 + index}
        for index, name in enumerate(FOUND)
    ]
    classes = [{"index": label, "name": name} for label, name in enumerate(CLASSES)]
    content = {"format": 1, "run": {}, "classes": classes, "images": images}
    (place / "predictions.json").write_text(json.dumps(content))
    (place / "coco_results.json").write_text(json.dumps(results(0)))
    return place


def results(first: int) -> list[dict[str, object]]:
    return [
        {
            "image_id": image,
            "category_id": first + CLASSES.index(label),
            "bbox": xywh(box),
            "score": score,
        }
        for image, boxes in enumerate(FOUND.values(), start=7)
        for label, score, box in boxes
    ]


def voc_found(place: Path) -> Path:
    place.mkdir(exist_ok=True)
    for wanted in CLASSES:
        lines = [
            f"{name} {score} {box[0] + 1} {box[1] + 1} {box[2]} {box[3]}"
            for name, boxes in FOUND.items()
            for label, score, box in boxes
            if label == wanted
        ]
        (place / f"comp4_det_test_{wanted}.txt").write_text("\n".join(lines))
    return place


def yolo_found(place: Path) -> Path:
    place.mkdir(exist_ok=True)
    for name, boxes in FOUND.items():
        lines = [f"{yolo_line(label, box)} {score}" for label, score, box in boxes]
        (place / f"{name}.txt").write_text("\n".join(lines))
    return place


def text_found(place: Path) -> Path:
    place.mkdir(exist_ok=True)
    for name, boxes in FOUND.items():
        lines = [f"{label} {score} {' '.join(map(str, box))}" for label, score, box in boxes]
        (place / f"{name}.txt").write_text("\n".join(lines))
    return place


def xywh(box: Box) -> list[float]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def yolo_line(label: str, box: Box) -> str:
    x1, y1, x2, y2 = box[0] / WIDTH, box[1] / HEIGHT, box[2] / WIDTH, box[3] / HEIGHT
    return f"{CLASSES.index(label)} {(x1 + x2) / 2} {(y1 + y2) / 2} {x2 - x1} {y2 - y1}"
