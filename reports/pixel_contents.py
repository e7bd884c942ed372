"""What a page shows of predictions: threshold curves, confusions, pictures; as records."""

from dataclasses import dataclass

from reports.figures.confusion import (
    Confusion,
    FoundRow,
    confusion_figure,
    confusion_summary,
    confusion_width,
    confusions,
    found_rows,
)
from reports.figures.embedding import Panel, embed
from reports.figures.thresholds import (
    ThresholdPanel,
    iou_figure,
    precision_recall_figure,
    threshold_panels,
    thresholds_summary,
)
from reports.notation import sentence_case
from reports.tables.predictions import Strip, prediction_strips, threshold_strips
from reports.tables.thresholds import ThresholdTable, threshold_table
from trackers.records import StudyRecord


@dataclass(frozen=True, slots=True)
class PixelContents:
    """Sections of predictions; each is left out where its trials kept nothing."""

    thresholds: tuple[Panel, ...]
    threshold_table: ThresholdTable | None
    matrices: tuple[Panel, ...]
    unit: str  # of the matrices: "pixels", "videos", "images"
    found: tuple[FoundRow, ...]
    strips: tuple[Strip, ...]
    threshold_strips: tuple[Strip, ...]


def pixel_contents(study: StudyRecord) -> PixelContents:
    """Compute everything that the files of the stage winners say."""
    panels, matrices = threshold_panels(study), confusions(study)
    return PixelContents(
        thresholds=tuple(_curves(index, panel) for index, panel in enumerate(panels, start=1)),
        threshold_table=threshold_table(panels),
        matrices=tuple(_matrix(i, each) for i, each in enumerate(matrices, start=1)),
        unit=matrices[0].unit if matrices else "",
        found=found_rows(study),
        strips=prediction_strips(study),
        threshold_strips=threshold_strips(study),
    )


def _curves(number: int, panel: ThresholdPanel) -> Panel:
    iou = embed(
        iou_figure(panel),
        f"thresholds-{number}-iou",
        title=f"IoU against threshold, {panel.class_name}",
        summary=thresholds_summary(panel),
    )
    precision_recall = embed(
        precision_recall_figure(panel),
        f"thresholds-{number}-precision-recall",
        title=f"Precision against recall, {panel.class_name}",
        summary="A line from high thresholds, left, to low ones.",
    )
    legend = tuple((series.label, series.style) for series in panel.series)
    figures = (iou, precision_recall) if panel.has_thresholds else (precision_recall,)
    return Panel(panel.class_name, figures, legend)


def _matrix(number: int, confusion: Confusion) -> Panel:
    name = f"{confusion.group}, {confusion.label}" if confusion.group else confusion.label
    figure = embed(
        confusion_figure(confusion),
        f"confusion-{number}",
        title=sentence_case(name),
        summary=confusion_summary(confusion),
        min_width=confusion_width(confusion),
    )
    return Panel(name, (figure,))
