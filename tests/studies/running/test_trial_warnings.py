"""A warning of one trial among many is told to who launched them, and stays in the record."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from studies.running.trial_warnings import noted_warnings

logger = logging.getLogger("data_pipeline.somewhere")
Study = dict[str, Any]


@dataclass(slots=True)
class Notes:
    """What was noted: (event, topic, message)."""

    noted: list[tuple[str, str, str]] = field(default_factory=list)

    def __call__(self, event: str, *, topic: str, message: str) -> None:
        self.noted.append((event, topic, message))


def test_a_topic_is_noted_once_and_every_message_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    notes = Notes()
    with noted_warnings(notes):
        for free in (1, 2):
            logger.warning("%d MB are free", free, extra={"topic": "disk full"})
        logger.info("all is well")
        logger.warning("no topic")
    logger.warning("after the end", extra={"topic": "late"})
    assert notes.noted == [
        ("warning", "disk full", "1 MB are free"),
        ("warning", "no topic", "no topic"),
    ]
    printed = capsys.readouterr().err
    assert printed.startswith("1 MB are free\n2 MB are free\nno topic\n")


def test_a_warning_that_cannot_be_noted_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def full(event: str, **_: str) -> None:
        raise OSError(28, f"no room for {event}")

    with noted_warnings(full):
        logger.warning("5 MB are free")
    assert "5 MB are free" in capsys.readouterr().err


@pytest.fixture
def scenes_study(tmp_path: Path) -> Study:
    """Return a study of two configurations on a few drawn scenes."""
    return {
        "study": "scenes",
        "task": "semantic_segmentation",
        "data": {
            "dataset": "street_scenes",
            "images": 20,
            "picture_width": 96,
            "picture_height": 72,
            "image_size": 32,
            "drawn_in": str(tmp_path / "scenes"),
        },
        "model": {"name": "unet", "base_channels": 4, "depth": 2},
        "training": {"learning_rate": 1e-3, "batch_size": 4, "epochs": 1},
        "objective": {"metric": "val/iou", "direction": "maximize"},
        "search": {"tree": [{"stage": "rate", "vary": {"training.learning_rate": [1e-2, 1e-3]}}]},
    }


@pytest.mark.slow
def test_a_launch_says_once_that_samples_are_not_kept_and_each_cell_has_it_in_its_record(
    workshop: Callable[[Study], Any], scenes_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", "0")
    shop = workshop(scenes_study)
    output = shop.launch()

    assert output.count("warning:") == 1
    assert "VISIONSTUDY_CACHE_GB" in output
    warnings = [cell.warnings for cell in shop.record().cells.values()]
    assert len(warnings) == 2
    assert all("(VISIONSTUDY_CACHE_GB)" in topic for [topic] in warnings)
    for folder in shop.trial_folders():
        events = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
        assert [event["event"] for event in events].count("warning") == 1
        assert "not all samples can be kept" in (folder / "output.log").read_text()
