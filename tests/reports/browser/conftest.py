"""A page as a person meets it: opened from disk, network off, in a real browser."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from reports.page import render
from trackers.records import JsonValue, StageRecord, StudyRecord

RAMP = [step / 98 for step in range(99)]
ONE_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
# Adds up how far things moved without being asked to; the buffer holds what came before.
WATCH_SHIFTS = """window.shifted = 0;
new PerformanceObserver((list) => list.getEntries().forEach((each) => {
    if (!each.hadRecentInput) window.shifted += each.value;
})).observe({ type: "layout-shift", buffered: true });"""
OpenPage = Callable[..., "Opened"]


class Opened:
    """A page with everything that it complained about or asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    @property
    def asked_for(self) -> list[str]:
        """Addresses outside the file."""
        inside = ("file:", "data:", "blob:")
        return [url for url in self.requests if not url.startswith(inside)]

    def value(self, script: str) -> Any:
        return self.page.evaluate(script)

    @property
    def drawn(self) -> dict[str, tuple[int, int, int]]:
        """Width, height and drawn lines of every visible figure."""
        script = """() => Object.fromEntries([...document.querySelectorAll(".plot-area")]
            .filter((area) => area.offsetParent !== null)
            .map((area) => {
                const box = area.querySelector("svg.main-svg").getBoundingClientRect();
                const lines = area.querySelectorAll("path.js-line").length;
                return [area.id, [box.width, box.height, lines]];
            }))"""
        found: dict[str, tuple[int, int, int]] = self.value(script)
        return found


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[OpenPage]:
    opened = []

    def open_study(
        study: StudyRecord, *, width: int = 1280, height: int = 800, scheme: str = "light"
    ) -> Opened:
        file = tmp_path / "report.html"
        file.write_text(render(study, generated_at="1 January 2026"), encoding="utf-8")
        options: dict[str, Any] = {"viewport": {"width": width, "height": height}}
        context = browser.new_context(offline=True, color_scheme=scheme, **options)  # type: ignore[arg-type]
        context.add_init_script(WATCH_SHIFTS)
        opened.append(context)
        made = Opened(context.new_page())
        made.page.goto(file.as_uri())
        made.page.wait_for_selector("#tree-0 svg.main-svg")
        made.page.wait_for_selector("html[data-drawn]", state="attached")
        return made

    yield open_study
    for context in opened:
        context.close()


@pytest.fixture
def with_files(tmp_path: Path) -> Callable[..., StudyRecord]:
    """Let every cell of a study have kept files of some contents."""

    def add(study: StudyRecord, contents: Mapping[str, object]) -> StudyRecord:
        files = {}
        for role, content in contents.items():
            file = tmp_path / f"{role}.json"
            file.write_text(json.dumps(content), encoding="utf-8")
            files[role] = str(file)
        cells = {
            name: replace(cell, files={**cell.files, **files})
            for name, cell in study.cells.items()
        }
        return replace(study, cells=cells)

    return add


@pytest.fixture
def segmentation_study(study: StudyRecord, with_files: Callable[..., StudyRecord]) -> StudyRecord:
    """Curves over thresholds of one network and a matrix of another."""
    curve = {"precision": RAMP, "recall": RAMP[::-1], "iou": RAMP, "average_precision": 0.5}
    curves = {"thresholds": RAMP, "classes": {"car": curve, "bus": curve}, "mean": curve}
    matrix = {"labels": list("abcdefghijk"), "matrix": np.eye(11, dtype=int).tolist()}
    return with_files(study, {"curves_val": curves, "confusion_val": matrix})


@pytest.fixture
def detection_study(study: StudyRecord, with_files: Callable[..., StudyRecord]) -> StudyRecord:
    """Two detectors in the first stage, their curves, errors, confusions and pictures."""
    first, *others = study.stages
    models: list[JsonValue] = [{"name": "faster_rcnn_vgg16"}, {"name": "yolov3", "width": 0.5}]
    named = [
        replace(each, varied={"model": model})
        for each, model in zip(first.configurations, models, strict=False)
    ]
    stage = replace(first, configurations=(*named, *first.configurations[2:]))
    study = replace(study, task="object_detection", stages=(stage, *others))
    return with_files(study, _detections())


def _detections() -> dict[str, object]:
    line = {"truths": 4, "at_recalls": [1.0, 0.6, 0.2]}
    kinds = [{"kind": kind, "count": 3, "ap50_gain": 0.1} for kind in ("class", "missed")]
    truth = {"boxes_xyxy": [[1.0, 2.0, 31.0, 22.0]], "labels": [0], "is_ignored": [False]}
    found = {"boxes_xyxy": [[2.0, 2.0, 30.0, 20.0]], "labels": [1], "scores": [0.9]}
    picture = {"height": 48, "width": 64, "jpeg": ONE_PIXEL, "truth": truth, "found": found}
    return {
        "detection_curves_val": {
            "rule": "coco",
            "iou": 0.5,
            "recalls": [0.0, 0.5, 1.0],
            "classes": [{"name": name, **line} for name in ("car", "bus")],
        },
        "detection_errors_val": {"ap50": 0.4, "right": 7, "errors": kinds},
        "detection_confusion_val": {"labels": ["car", "background"], "counts": [[6, 2], [3, 0]]},
        "probe_detections": {
            "class_names": ["car", "bus"],
            "threshold": 0.5,
            "images": [{**picture, "image_id": "0001"}],
        },
    }


@pytest.fixture
def action_study(study: StudyRecord, with_files: Callable[..., StudyRecord]) -> StudyRecord:
    """Recall of a hundred actions, and what they are taken for."""
    names = [f"action {number}" for number in range(101)]
    classes = {name: {"videos": 4, "recall": 0.5, "precision": 0.5} for name in names}
    scores = {"videos": 404, "clips_per_video": [3], "classes": classes}
    matrix = np.roll(4 * np.eye(101, dtype=int), 1, axis=1).tolist()
    study = replace(study, task="action_recognition")
    return with_files(
        study,
        {"class_scores_val": scores, "confusion_val": {"labels": names, "matrix": matrix}},
    )


STRANGE = (
    '<b>bold</b> <a href="javascript:alert(1)">link</a> <img src=x onerror=alert(2)>'
    ' "quoted" &amp; \N{OWL} \N{HEBREW LETTER SHIN}\N{HEBREW LETTER LAMED}\N{HEBREW LETTER VAV}'
    "\N{HEBREW LETTER FINAL MEM} \N{RIGHT-TO-LEFT OVERRIDE}0123 " + 40 * "long"
)


@pytest.fixture
def hostile_study(
    segmentation_study: StudyRecord, with_files: Callable[..., StudyRecord]
) -> StudyRecord:
    """Markup, links, quotes, emoji and text from right to left wherever people write names."""
    study = segmentation_study
    cells = {
        name: replace(cell, reason=STRANGE, warnings=(STRANGE,))
        for name, cell in study.cells.items()
    }
    changed = replace(
        study,
        name=STRANGE,
        description=STRANGE,
        note=STRANGE,
        is_finished=False,
        environment={STRANGE: STRANGE},
        stages=tuple(_strange_stage(stage) for stage in study.stages),
        test_scores=tuple(replace(s, stage=s.stage + STRANGE) for s in study.test_scores),
        cells=cells,
    )
    curve = {"precision": RAMP, "recall": RAMP[::-1], "iou": RAMP, "average_precision": 0.5}
    curves = {"thresholds": RAMP, "classes": {STRANGE: curve}, "mean": curve}
    matrix = {"labels": [STRANGE, "car"], "matrix": [[3, 1], [2, 4]]}
    classes = {STRANGE: {"videos": 4, "recall": 0.5, "precision": 0.5}}
    scores = {"videos": 4, "clips_per_video": [3], "classes": classes}
    kept = {"curves_val": curves, "confusion_val": matrix, "class_scores_val": scores}
    return with_files(changed, kept)


def _strange_stage(stage: StageRecord) -> StageRecord:
    return replace(
        stage,
        name=stage.name + STRANGE,
        decisions=tuple(
            replace(each, stage=each.stage + STRANGE, rule=STRANGE) for each in stage.decisions
        ),
        configurations=tuple(
            replace(
                each, varied={path: f"{value}{STRANGE}" for path, value in each.varied.items()}
            )
            for each in stage.configurations
        ),
    )
