"""Detectors side by side: the same pictures through every network that a stage compares.

A stage compares networks where it varies the model, or what its weights start from, whole or one
setting of them, and more than one of what it tried was trained.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reports import theme
from reports.kept_json import kept_json
from reports.measurements import cells_of, finite, mean, rank, value_of
from reports.notation import metric_name, short_labels
from trackers.records import CellRecord, ConfigurationRecord, Outcome, StageRecord, StudyRecord

ROLE, SPEED = "probe_detections", "detection_speed"
COMPARED = ("model", "training.transfer")  # settings whose stage is shown, and theirs in turn
MOST_DETECTORS = 12  # of a stage, the best; beyond, no eye compares them, and the page is large
MOST_BOXES = 40  # of a picture, the highest scores
GENERAL = ("ap", "ap50", "thesis_map")  # metrics of all classes, where they were measured


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box as drawn, in pixels of its picture."""

    left: float
    top: float
    width: float
    height: float
    label: str  # "car", or "car 0.93"
    colour: str
    is_ignored: bool = False  # crowds, groups and difficult ones: neither right nor wrong


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A picture with boxes on it."""

    width: int
    height: int
    source: str  # data URI
    boxes: tuple[DrawnBox, ...]

    @property
    def text(self) -> str:
        """What is drawn, for readers who cannot see it."""
        return "; ".join(box.label for box in self.boxes) or "nothing"


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One picture: what is in it, and what each detector found; None where it was not shown."""

    image_id: str
    truth: DrawnPicture
    found: tuple[DrawnPicture | None, ...]  # as `SideBySide.detectors`


@dataclass(frozen=True, slots=True)
class ComparedDetector:
    """One configuration and its numbers."""

    label: str
    seeds: int
    values: tuple[float | None, ...]  # as `SideBySide.metrics`, mean over seeds
    milliseconds: float | None  # median of a forward pass, one image at a time
    device: str


@dataclass(frozen=True, slots=True)
class SideBySide:
    """The detectors of one stage."""

    stage: str
    threshold: float  # least score that is drawn
    headers: tuple[str, ...]
    detectors: tuple[ComparedDetector, ...]
    rows: tuple[PictureRow, ...]

    @property
    def has_ignored(self) -> bool:
        """Whether any true box is neither right nor wrong to find."""
        return any(box.is_ignored for row in self.rows for box in row.truth.boxes)


def side_by_side(study: StudyRecord) -> tuple[SideBySide, ...]:
    """Set the detectors of every stage that compares networks beside each other."""
    return tuple(found for stage in study.stages if (found := _of_stage(study, stage)))


def _of_stage(study: StudyRecord, stage: StageRecord) -> SideBySide | None:
    kept = [
        (each, content)
        for each in stage.configurations
        if _network_settings(each) and (content := _kept(study, each, ROLE))
    ]
    networks = {json.dumps(_network_settings(each), sort_keys=True) for each, _ in kept}
    if len(networks) < 2:
        return None
    kept = [kept[place] for place in _best_places(study, [each for each, _ in kept])]
    names = tuple(kept[0][1]["class_names"])
    metrics = _metrics(study, [each for each, _ in kept], names)
    labels = short_labels([each.varied for each, _ in kept])
    return SideBySide(
        stage=stage.name,
        threshold=float(kept[0][1]["threshold"]),
        headers=tuple(metrics.values()),
        detectors=tuple(
            _detector(study, each, label, tuple(metrics))
            for (each, _), label in zip(kept, labels, strict=True)
        ),
        rows=_rows([content for _, content in kept]),
    )


def _network_settings(configuration: ConfigurationRecord) -> dict[str, Any]:
    """Return what a configuration varies of its network and of what that starts from."""
    return {
        path: value
        for path, value in configuration.varied.items()
        if any(path == name or path.startswith(f"{name}.") for name in COMPARED)
    }


def _best_places(study: StudyRecord, configurations: Sequence[ConfigurationRecord]) -> list[int]:
    """Return which configurations are shown, in their order."""
    values = [
        mean(value_of(cell, study.metric) for cell in cells_of(study, each))
        for each in configurations
    ]
    return sorted(rank(values, study.direction)[:MOST_DETECTORS])


def _complete(study: StudyRecord, configuration: ConfigurationRecord) -> list[CellRecord]:
    cells = cells_of(study, configuration)
    return [cell for cell in cells if cell.outcome is Outcome.COMPLETE]


def _kept(
    study: StudyRecord, configuration: ConfigurationRecord, role: str
) -> dict[str, Any] | None:
    """Return what the first seed kept."""
    found = (kept_json(cell, role) for cell in _complete(study, configuration))
    return next((content for content in found if content), None)


def _metrics(
    study: StudyRecord, configurations: Sequence[ConfigurationRecord], names: Sequence[str]
) -> dict[str, str]:
    """Return metrics and their headers: of the test split if all were scored on it."""
    cells = [cell for each in configurations for cell in _complete(study, each)]
    slugs = {name: slug for cell in cells for name, slug in cell.class_slugs.items()}
    for split in ("test", "val"):
        headers = {f"{split}/{name}": metric_name(f"{split}/{name}") for name in GENERAL}
        headers |= {
            f"{split}/ap50_{slugs[name]}": f"{metric_name(f'{split}/ap50')}, {name}"
            for name in names
            if name in slugs
        }
        found = {
            metric: header
            for metric, header in headers.items()
            if any(metric in cell.metrics for cell in cells)
        }
        if found and all(any(name in cell.metrics for name in found) for cell in cells):
            return found
    return {}


def _detector(
    study: StudyRecord, configuration: ConfigurationRecord, label: str, metrics: Sequence[str]
) -> ComparedDetector:
    cells = _complete(study, configuration)
    speed = _kept(study, configuration, SPEED) or {}
    median = finite(speed.get("median"))
    return ComparedDetector(
        label=label,
        seeds=len(cells),
        values=tuple(mean(value_of(cell, name) for cell in cells) for name in metrics),
        milliseconds=None if median is None else 1000 * median,
        device=str(speed.get("device", "")),
    )


def _rows(contents: Sequence[Mapping[str, Any]]) -> tuple[PictureRow, ...]:
    by_image = [{each["image_id"]: each for each in content["images"]} for content in contents]
    rows = []
    for image_id, first in by_image[0].items():
        found = tuple(
            _found(images[image_id], content) if image_id in images else None
            for images, content in zip(by_image, contents, strict=True)
        )
        truth = _truth(first["truth"], contents[0]["class_names"])
        rows.append(PictureRow(image_id, _picture(first, truth), found))
    return tuple(rows)


def _truth(objects: Mapping[str, Any], names: Sequence[str]) -> tuple[DrawnBox, ...]:
    boxes = _boxes(objects, names, labels=[names[label] for label in objects["labels"]])
    return tuple(
        replace(box, label=f"{box.label} (not counted)", is_ignored=True) if is_ignored else box
        for box, is_ignored in zip(boxes, objects["is_ignored"], strict=True)
    )


def _found(image: Mapping[str, Any], content: Mapping[str, Any]) -> DrawnPicture:
    found, names = image["found"], content["class_names"]
    shown = [i for i, s in enumerate(found["scores"]) if s >= content["threshold"]][:MOST_BOXES]
    kept = {
        "boxes_xyxy": [found["boxes_xyxy"][i] for i in shown],
        "labels": [found["labels"][i] for i in shown],
    }
    words = [f"{names[found['labels'][i]]} {found['scores'][i]:.2f}" for i in shown]
    return _picture(image, _boxes(kept, names, labels=words))


def _boxes(
    objects: Mapping[str, Any], names: Sequence[str], *, labels: Sequence[str]
) -> tuple[DrawnBox, ...]:
    colours = {index: theme.SERIES[index % len(theme.SERIES)] for index in range(len(names))}
    return tuple(
        DrawnBox(box[0], box[1], box[2] - box[0], box[3] - box[1], words, colours[label])
        for box, label, words in zip(objects["boxes_xyxy"], objects["labels"], labels, strict=True)
    )


def _picture(image: Mapping[str, Any], boxes: tuple[DrawnBox, ...]) -> DrawnPicture:
    source = f"data:image/jpeg;base64,{image['jpeg']}"
    return DrawnPicture(int(image["width"]), int(image["height"]), source, boxes)
