"""What a page shows of samples that each are of one class: videos by action, or whole images."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reports.figures.calibration import (
    CalibrationPanel,
    calibration_figure,
    calibration_panels,
    calibration_summary,
)
from reports.figures.class_recall import (
    RecallPanel,
    recall_figure,
    recall_panels,
    recall_summary,
)
from reports.figures.confusion import Confusion, confusions
from reports.figures.embedding import EmbeddedFigure, Panel, embed
from reports.notation import SPLIT_WORDS
from reports.tables.confused_pairs import ConfusedPair, most_confused
from reports.tables.video_scoring import scoring_sentence
from trackers.records import StudyRecord

TITLES: Mapping[str, str] = MappingProxyType({"videos": "Actions", "images": "Recognition"})


@dataclass(frozen=True, slots=True)
class ConfusedTable:
    """The largest mistakes of one winner."""

    label: str
    split: str  # in words
    seeds: int
    unit: str  # "videos" or "images"
    pairs: tuple[ConfusedPair, ...]


@dataclass(frozen=True, slots=True)
class RecognitionContents:
    """The section of what is told apart; it is left out where its trials kept nothing."""

    title: str
    scoring: str  # how a video is scored
    recalls: tuple[Panel, ...]  # with the calibration, where trials kept that
    confused: tuple[ConfusedTable, ...]


def recognition_contents(study: StudyRecord) -> RecognitionContents:
    """Compute everything that the files of the stage winners say of their samples."""
    panels = recall_panels(study)
    calibrations = {each.label: each for each in calibration_panels(study)}
    found = [each for each in confusions(study) if each.unit in TITLES]
    units = [*(each.unit for each in panels), *(each.unit for each in found)]
    return RecognitionContents(
        title=TITLES[units[0]] if units else "",
        scoring=scoring_sentence(study),
        recalls=tuple(
            _panel(number, each, calibrations.get(each.label))
            for number, each in enumerate(panels, start=1)
        ),
        confused=tuple(_confused(each) for each in found),
    )


def _panel(number: int, recall: RecallPanel, calibration: CalibrationPanel | None) -> Panel:
    prefix = f"recognition-{number}"
    figures: list[EmbeddedFigure] = [
        embed(
            recall_figure(recall),
            f"{prefix}-recall",
            title=f"Recall by class, {recall.label}",
            summary=recall_summary(recall),
        )
    ]
    if calibration is not None:
        figures.append(
            embed(
                calibration_figure(calibration),
                f"{prefix}-calibration",
                title=f"Calibration, {calibration.label}",
                summary=calibration_summary(calibration),
            )
        )
    return Panel(recall.label, tuple(figures))


def _confused(confusion: Confusion) -> ConfusedTable:
    split = SPLIT_WORDS[confusion.split]
    pairs = most_confused(confusion)
    return ConfusedTable(confusion.label, split, confusion.seeds, confusion.unit, pairs)
