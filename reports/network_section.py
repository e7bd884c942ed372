"""What a study's page shows of choosing the network: a table, and score against cost."""

from dataclasses import dataclass

from reports.figures.embedding import EmbeddedFigure, embed
from reports.figures.network_costs import (
    network_costs_figure,
    network_costs_summary,
    scatters,
)
from reports.notation import metric_name, sentence_case, slug
from reports.tables.study_networks import TOP1, StudyNetworks, study_networks
from trackers.records import StudyRecord


@dataclass(frozen=True, slots=True)
class NetworkSection:
    """The section; figures are left out where too few networks have a number."""

    table: StudyNetworks
    figures: tuple[EmbeddedFigure, ...]


def network_section(study: StudyRecord) -> NetworkSection | None:
    """Compute the section of a study of classifiers that tries several networks."""
    table = study_networks(study)
    if table is None:
        return None
    rows = table.rows
    costs: dict[str, list[float | None]] = {
        "ms per picture": [row.latency_ms for row in rows],
        "GMAC per picture": [row.macs / 1e9 for row in rows],
        "training TMAC per cell": [row.train_macs and row.train_macs / 1e12 for row in rows],
    }
    scored = [(row.label, row.parameters, row.top1) for row in rows]
    figures = [
        embed(
            network_costs_figure(each),
            f"choosing-{slug(each.cost)}",
            title=sentence_case(f"{each.score} against {each.cost}"),
            summary=network_costs_summary(each),
        )
        for each in scatters(scored, costs, metric_name(TOP1))
    ]
    return NetworkSection(table, tuple(figures))
