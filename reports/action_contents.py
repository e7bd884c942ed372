"""What a page shows of recognised actions: recall by class and confused pairs, as records."""

from dataclasses import dataclass

from reports.figures.class_recall import (
    RecallPanel,
    recall_figure,
    recall_panels,
    recall_summary,
)
from reports.figures.confusion import Confusion, confusions
from reports.figures.embedding import Panel, embed
from reports.notation import SPLIT_WORDS
from reports.tables.confused_pairs import ConfusedPair, most_confused
from reports.tables.video_scoring import scoring_sentence
from trackers.records import StudyRecord

VIDEOS = "videos"


@dataclass(frozen=True, slots=True)
class ConfusedTable:
    """The largest mistakes of one winner."""

    label: str
    split: str  # in words
    seeds: int
    pairs: tuple[ConfusedPair, ...]


@dataclass(frozen=True, slots=True)
class ActionContents:
    """Sections of actions; each is left out where its trials kept nothing."""

    scoring: str  # how a video is scored
    recalls: tuple[Panel, ...]
    confused: tuple[ConfusedTable, ...]


def action_contents(study: StudyRecord) -> ActionContents:
    """Compute everything that the files of the stage winners say of their videos."""
    panels = enumerate(recall_panels(study), start=1)
    found = [each for each in confusions(study) if each.unit == VIDEOS]
    return ActionContents(
        scoring=scoring_sentence(study),
        recalls=tuple(_recall(number, each) for number, each in panels),
        confused=tuple(_confused(each) for each in found),
    )


def _recall(number: int, panel: RecallPanel) -> Panel:
    figure = embed(
        recall_figure(panel),
        f"actions-{number}-recall",
        title=f"Recall by class, {panel.label}",
        summary=recall_summary(panel),
    )
    return Panel(panel.label, (figure,))


def _confused(confusion: Confusion) -> ConfusedTable:
    split = SPLIT_WORDS[confusion.split]
    return ConfusedTable(confusion.label, split, confusion.seeds, most_confused(confusion))
