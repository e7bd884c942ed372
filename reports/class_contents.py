"""What a page shows of single classes: a figure for every metric that has a value for each."""

from reports.figures.class_bars import (
    class_bars,
    class_bars_figure,
    class_bars_summary,
    class_bars_table,
)
from reports.figures.embedding import EmbeddedFigure, embed
from reports.notation import metric_name, sentence_case
from trackers.records import StudyRecord


def class_contents(study: StudyRecord) -> tuple[EmbeddedFigure, ...]:
    """Draw the classes of the last winner beside those of the base; () of a single class."""
    return tuple(
        embed(
            class_bars_figure(bars),
            f"classes-{number}",
            title=sentence_case(f"{metric_name(bars.metric)} by class"),
            summary=class_bars_summary(bars),
            table=class_bars_table(bars),
        )
        for number, bars in enumerate(class_bars(study), start=1)
    )
