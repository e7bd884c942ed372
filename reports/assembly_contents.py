"""What a page shows of networks that were put together; as records."""

from dataclasses import dataclass

from reports.figures.assembly import assembly_curves, assembly_figure, assembly_summary
from reports.figures.embedding import EmbeddedFigure, embed
from reports.notation import metric_name, sentence_case
from reports.tables.assembly import AssemblyTable, assembly_table
from trackers.records import StudyRecord


@dataclass(frozen=True, slots=True)
class AssemblyContents:
    """The section of a study that asks for an assembly."""

    table: AssemblyTable
    curve: EmbeddedFigure | None


def assembly_contents(study: StudyRecord) -> AssemblyContents | None:
    """Compute the section; None where the study asks for no assembly."""
    table = assembly_table(study)
    if table is None:
        return None
    curves = assembly_curves(study, table.metric)
    curve = None
    if curves is not None:
        curve = embed(
            assembly_figure(curves),
            "assembly-curve",
            title=sentence_case(f"{metric_name(table.metric)} against threshold"),
            summary=assembly_summary(curves),
        )
    return AssemblyContents(table, curve)
