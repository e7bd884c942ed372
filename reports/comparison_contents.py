"""What the page shows beside the cited tables: a figure of each, and sentences over all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.figures.embedding import EmbeddedFigure, embed
from reports.figures.forest import forest, forest_figure, forest_table
from reports.notation import slug
from reports.tables.comparison import ComparedTable
from reports.tables.verdict_counts import chance_sentence, counts_sentence


@dataclass(frozen=True, slots=True)
class ComparisonContents:
    """What is said of the cited tables."""

    summary: str  # over all tables
    chance: str  # what many verdicts make by chance; "" of few
    counts: Mapping[str, str]  # table's name -> sentence
    figures: Mapping[str, EmbeddedFigure]  # table's name -> figure, where something is comparable


def comparison_contents(tables: Sequence[ComparedTable]) -> ComparisonContents:
    """Draw every cited table that has a comparable number, and count verdicts."""
    figures = {}
    for index, table in enumerate(tables):
        plot = forest(table)
        if plot is not None:
            figures[table.name] = embed(
                forest_figure(plot),
                f"forest-{index + 1}-{slug(table.name)}",
                title=f"Ours beside {table.name}",
                summary=plot.summary,
                table=forest_table(plot),
            )
    return ComparisonContents(
        summary=counts_sentence(tables),
        chance=chance_sentence(tables),
        counts={table.name: counts_sentence([table]) for table in tables},
        figures=figures,
    )
