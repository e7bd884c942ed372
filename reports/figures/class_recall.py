"""Which classes are recognised? Each class's recall, from what the winners' trials kept."""

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

IMAGES, VIDEOS = "images", "videos"
ROW_HEIGHT = 18  # pixels of a class
MOST_CLASSES = 40  # that are drawn: those that are recognised least


@dataclass(frozen=True, slots=True)
class ClassRecall:
    """One class of one winner."""

    name: str
    samples: int  # of the split, most of one network
    recall: float  # mean over networks
    precision: float | None  # the same; None where it was never predicted
    f1: float | None  # the same; None of trials that did not keep it


@dataclass(frozen=True, slots=True)
class RecallPanel:
    """One winner's classes, the one that is recognised least first."""

    label: str
    split: str  # "test" where it was scored, else "val"
    networks: int  # one per seed, or fold and seed
    samples: int  # most of one network; folds have others each
    unit: str  # what a sample is: "videos" or "images"
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
    unit = IMAGES if any(IMAGES in content for content in kept) else VIDEOS
    seeds = [content["classes"] for content in kept]
    names = dict.fromkeys(name for classes in seeds for name in classes)
    found = (_class(name, unit, [classes.get(name, {}) for classes in seeds]) for name in names)
    return RecallPanel(
        label=winner.name,
        split=split,
        networks=len(kept),
        samples=max((int(content[unit]) for content in kept), default=0),
        unit=unit,
        classes=tuple(sorted(filter(None, found), key=lambda each: (each.recall, each.name))),
    )


def _class(name: str, unit: str, seeds: Sequence[Mapping[str, Any]]) -> ClassRecall | None:
    """Average a class over seeds; None where the split has no sample of it."""
    recall, precision, f1 = (
        mean(finite(each.get(column)) for each in seeds)
        for column in ("recall", "precision", "f1")
    )
    if recall is None:
        return None
    return ClassRecall(name, max(int(each.get(unit, 0)) for each in seeds), recall, precision, f1)


def recall_figure(panel: RecallPanel) -> go.Figure:
    """Draw a bar per class, from none to all of its samples; of many, of the worst alone."""
    drawn = panel.classes[:MOST_CLASSES]
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [each.name for each in drawn],
        "x": [round(each.recall, 4) for each in drawn],
        "customdata": [[each.samples, score(each.precision), score(each.f1)] for each in drawn],
        "marker": {"color": theme.SERIES[4]},
        "hovertemplate": "%{y}: recall %{x:.3f} of %{customdata[0]:,} "
        f"{panel.unit}, precision %{{customdata[1]}}, F1 %{{customdata[2]}}<extra></extra>",
    }
    names = theme.axis("", type="category", autorange="reversed", dtick=1, showgrid=False)
    return go.Figure(
        data=[trace],
        layout=theme.layout(
            70 + ROW_HEIGHT * len(drawn),
            bargap=0.25,
            xaxis=theme.axis("recall", range=[0, 1]),
            yaxis=names,
            margin={"l": 110, "r": 12, "t": 8, "b": 44},
        ),
    )


def recall_summary(panel: RecallPanel) -> str:
    """Say in a sentence how many classes there are, and which are recognised least and most."""
    least, most = panel.classes[0], panel.classes[-1]
    text = (
        f"{sentence_case(SPLIT_WORDS[panel.split])} split, {plural(panel.networks, 'network')}, "
        f"each scored on at most {plural(panel.samples, panel.unit[:-1])}: mean of "
        f"{len(panel.classes)} classes {score(panel.mean)}; least {least.name} "
        f"({score(least.recall)}), most {most.name} ({score(most.recall)})."
    )
    left_out = len(panel.classes) - MOST_CLASSES
    if left_out == 1:
        text += " 1 class that is recognised better is not drawn."
    elif left_out > 1:
        text += f" {left_out:,} classes that are recognised better are not drawn."
    return text
