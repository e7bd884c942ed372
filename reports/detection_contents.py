"""What a page shows of detections: curves, errors and confusions, as records."""

from dataclasses import dataclass

from reports.figures.confusion import (
    Confusion,
    confusion_figure,
    confusion_summary,
    confusion_width,
    object_confusions,
)
from reports.figures.detection_curves import (
    DetectionPanel,
    detection_curves_figure,
    detection_curves_summary,
    detection_panels,
)
from reports.figures.detection_errors import (
    ErrorBreakdown,
    error_breakdowns,
    errors_figure,
    errors_summary,
)
from reports.figures.embedding import EmbeddedFigure, Panel, embed
from reports.notation import sentence_case
from trackers.records import StudyRecord


@dataclass(frozen=True, slots=True)
class DetectionContents:
    """Sections of detections; each is left out where its trials kept nothing."""

    panels: tuple[DetectionPanel, ...]
    curves: tuple[Panel, ...]  # a figure for each of `panels`
    breakdowns: tuple[ErrorBreakdown, ...]
    errors: EmbeddedFigure | None
    error_legend: tuple[tuple[str, int], ...]
    matrices: tuple[Panel, ...]


def detection_contents(study: StudyRecord) -> DetectionContents:
    """Compute everything that the files of the stage winners say of their detections."""
    panels, breakdowns = detection_panels(study), error_breakdowns(study)
    confusions = enumerate(object_confusions(study), start=1)
    return DetectionContents(
        panels=panels,
        curves=tuple(_curves(number, each) for number, each in enumerate(panels, start=1)),
        breakdowns=breakdowns,
        errors=_errors(breakdowns),
        error_legend=tuple((each.label, style) for style, each in enumerate(breakdowns)),
        matrices=tuple(_matrix(number, each) for number, each in confusions),
    )


def _curves(number: int, panel: DetectionPanel) -> Panel:
    figure = embed(
        detection_curves_figure(panel),
        f"detection-{number}-curves",
        title=f"Precision against recall, {panel.class_name}",
        summary=detection_curves_summary(panel),
    )
    legend = tuple((curve.label, curve.style) for curve in panel.curves)
    return Panel(panel.class_name, (figure,), legend)


def _errors(breakdowns: tuple[ErrorBreakdown, ...]) -> EmbeddedFigure | None:
    if not breakdowns:
        return None
    return embed(
        errors_figure(breakdowns),
        "detection-errors",
        title="What AP50 gains without each kind of error",
        summary=errors_summary(breakdowns),
    )


def _matrix(number: int, confusion: Confusion) -> Panel:
    name = f"{confusion.group}, {confusion.label}" if confusion.group else confusion.label
    figure = embed(
        confusion_figure(confusion),
        f"detection-{number}-confusion",
        title=sentence_case(name),
        summary=confusion_summary(confusion),
        min_width=confusion_width(confusion),
    )
    return Panel(name, (figure,))
