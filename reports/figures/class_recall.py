"""Which actions are recognised? Each class's recall, from what the winners' trials kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.kept_json import kept_of_seeds
from reports.measurements import finite, mean
from reports.notation import SPLIT_WORDS, plural, score, sentence_case
from reports.winners import Winner, winners
from trackers.records import StudyRecord

ROW_HEIGHT = 18  # pixels of a class


@dataclass(frozen=True, slots=True)
class ClassRecall:
    """One class of one winner."""

    name: str
    videos: int  # of the split
    recall: float  # mean over seeds
    precision: float | None  # mean over seeds; None where it was never predicted


@dataclass(frozen=True, slots=True)
class RecallPanel:
    """One winner's classes, the one that is recognised least first."""

    label: str
    split: str  # "test" where it was scored, else "val"
    seeds: int
    videos: int
    clips_per_video: tuple[int, ...]  # views times crops; several where videos differ
    classes: tuple[ClassRecall, ...]

    @property
    def mean(self) -> float:
        """Class-mean recall."""
        return mean(each.recall for each in self.classes) or 0.0


def recall_panels(study: StudyRecord) -> tuple[RecallPanel, ...]:
    """Collect the recalls of every stage winner that kept them."""
    panels = (
        _panel(winner, split, kept)
        for winner in winners(study)
        for split, kept in [kept_of_seeds(winner.cells, "class_scores")]
    )
    return tuple(panel for panel in panels if panel.classes)


def _panel(winner: Winner, split: str, kept: Sequence[Mapping[str, Any]]) -> RecallPanel:
    names = dict.fromkeys(name for content in kept for name in content["classes"])
    classes = [
        each
        for name in names
        if (each := _class(name, [content["classes"].get(name, {}) for content in kept]))
    ]
    clips = {int(count) for content in kept for count in content["clips_per_video"]}
    return RecallPanel(
        label=winner.name,
        split=split,
        seeds=len(kept),
        videos=max((int(content["videos"]) for content in kept), default=0),
        clips_per_video=tuple(sorted(clips)),
        classes=tuple(sorted(classes, key=lambda each: (each.recall, each.name))),
    )


def _class(name: str, seeds: Sequence[Mapping[str, Any]]) -> ClassRecall | None:
    """Average a class over seeds; None where the split has no video of it."""
    recall = mean(finite(each.get("recall")) for each in seeds)
    if recall is None:
        return None
    videos = max(int(each.get("videos", 0)) for each in seeds)
    return ClassRecall(name, videos, recall, mean(finite(each.get("precision")) for each in seeds))


def recall_figure(panel: RecallPanel) -> go.Figure:
    """Draw a bar per class, from none to all of its videos."""
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [each.name for each in panel.classes],
        "x": [round(each.recall, 4) for each in panel.classes],
        "customdata": [[each.videos, score(each.precision)] for each in panel.classes],
        "marker": {"color": theme.SERIES[4]},
        "hovertemplate": "%{y}: recall %{x:.3f} of %{customdata[0]:,} videos, precision "
        "%{customdata[1]}<extra></extra>",
    }
    names = theme.axis("", type="category", autorange="reversed", dtick=1, showgrid=False)
    return go.Figure(
        data=[trace],
        layout=theme.layout(
            70 + ROW_HEIGHT * len(panel.classes),
            bargap=0.25,
            xaxis=theme.axis("recall", range=[0, 1]),
            yaxis=names,
            margin={"l": 110, "r": 12, "t": 8, "b": 44},
        ),
    )


def recall_summary(panel: RecallPanel) -> str:
    """Say in a sentence how many classes there are, and which are recognised least and most."""
    least, most = panel.classes[0], panel.classes[-1]
    return (
        f"{sentence_case(SPLIT_WORDS[panel.split])} split, {plural(panel.seeds, 'seed')}, "
        f"{plural(panel.videos, 'video')}: mean of {len(panel.classes)} classes "
        f"{score(panel.mean)}; least {least.name} ({score(least.recall)}), most {most.name} "
        f"({score(most.recall)})."
    )
