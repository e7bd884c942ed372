"""Everything that a page shows, as records: numbers and figures, still without any HTML."""

from dataclasses import dataclass

from reports import theme
from reports.assembly_contents import AssemblyContents, assembly_contents
from reports.class_contents import class_contents
from reports.comparison_contents import ComparisonContents, comparison_contents
from reports.cost_contents import CostContents, cost_contents
from reports.detection_contents import DetectionContents, detection_contents
from reports.figures.curves import StageCurves, curves_figure, curves_summary, stage_curves
from reports.figures.embedding import EmbeddedFigure, Panel, embed
from reports.figures.response import response, response_figure, response_summary
from reports.figures.tree import tree_layouts
from reports.figures.tree_drawing import (
    tree_figure,
    tree_min_width,
    tree_summary,
    tree_table,
)
from reports.network_section import NetworkSection, network_section
from reports.notation import metric_name, sentence_case, slug
from reports.pixel_contents import PixelContents, pixel_contents
from reports.recognition_contents import RecognitionContents, recognition_contents
from reports.search_contents import SearchContents, search_contents
from reports.tables.comparison import ComparedTable, comparison
from reports.tables.confirmation import ConfirmationTable, confirmation_table
from reports.tables.environment import Environment, commit_of, environment
from reports.tables.held_out import HeldOutTable, held_out_table
from reports.tables.importance import ImportanceTable, importance_tables
from reports.tables.ledger import Ledger, ledger
from reports.tables.printed import PrintedTable, printed_tables
from reports.tables.probe import ProbeTable, probe_table
from reports.tables.side_by_side import SideBySide, side_by_side
from reports.tables.stages import StageTable, stage_tables
from reports.tables.summary import Summary, summarise
from reports.tables.training import TrainingTable, training_tables
from trackers.folds import fold_count
from trackers.records import StudyRecord


@dataclass(frozen=True, slots=True)
class StageSection:
    """A stage's part of the page."""

    id: str
    number: int
    table: StageTable
    training: TrainingTable | None
    curves: tuple[Panel, ...]
    response: EmbeddedFigure | None


@dataclass(frozen=True, slots=True)
class Contents:
    """The page, section by section."""

    study: StudyRecord
    metric: str
    replicates: str  # what means are over
    commit: str | None
    summary: Summary
    trees: tuple[Panel, ...]
    stages: tuple[StageSection, ...]
    assembly: AssemblyContents | None
    comparison: tuple[ComparedTable, ...]
    verdicts: ComparisonContents
    printed: tuple[PrintedTable, ...]
    confirmation: ConfirmationTable | None
    probe: ProbeTable | None
    search: SearchContents
    importance: tuple[ImportanceTable, ...]
    networks: NetworkSection | None
    ledger: Ledger
    costs: CostContents
    classes: tuple[EmbeddedFigure, ...]
    pixels: PixelContents
    detection: DetectionContents
    recognition: RecognitionContents
    side_by_side: tuple[SideBySide, ...]
    held_out: HeldOutTable
    environment: Environment


def contents(study: StudyRecord) -> Contents:
    """Compute every section of a report."""
    compared = comparison(study)
    return Contents(
        study=study,
        metric=metric_name(study.metric),
        replicates="seeds" if fold_count(study) is None else "folds and seeds",
        commit=commit_of(study),
        summary=summarise(study),
        trees=_trees(study),
        stages=_stages(study),
        assembly=assembly_contents(study),
        comparison=compared,
        verdicts=comparison_contents(compared),
        printed=printed_tables(study, compared),
        confirmation=confirmation_table(study),
        probe=probe_table(study),
        search=search_contents(study),
        importance=importance_tables(study),
        networks=network_section(study),
        ledger=ledger(study),
        costs=cost_contents(study),
        classes=class_contents(study),
        pixels=pixel_contents(study),
        detection=detection_contents(study),
        recognition=recognition_contents(study),
        side_by_side=side_by_side(study),
        held_out=held_out_table(study),
        environment=environment(study),
    )


def _trees(study: StudyRecord) -> tuple[Panel, ...]:
    panels = []
    for index, tree in enumerate(tree_layouts(study)):
        title = f"Hyperparameter tree, {tree.group}" if tree.group else "Hyperparameter tree"
        figure = embed(
            tree_figure(tree),
            f"tree-{index}",
            title=title,
            summary=tree_summary(tree),
            min_width=tree_min_width(tree),
            table=tree_table(tree),
        )
        panels.append(Panel(tree.group, (figure,)))
    return tuple(panels)


def _stages(study: StudyRecord) -> tuple[StageSection, ...]:
    training = training_tables(study)
    sections = []
    for index, table in enumerate(stage_tables(study)):
        section = StageSection(
            id=f"stage-{index + 1}-{slug(table.name)}",
            number=index + 1,
            table=table,
            training=training.get(table.name),
            curves=_curves(study, index),
            response=_response(study, index, table),
        )
        sections.append(section)
    return tuple(sections)


def _curves(study: StudyRecord, index: int) -> tuple[Panel, ...]:
    by_group: dict[str, list[StageCurves]] = {}
    for curves in stage_curves(study, index):
        by_group.setdefault(curves.group, []).append(curves)
    return tuple(
        Panel(group, tuple(_curve(index, at, c) for c in members), _legend(members[0]))
        for at, (group, members) in enumerate(by_group.items())
    )


def _curve(index: int, panel: int, curves: StageCurves) -> EmbeddedFigure:
    where = f" ({curves.group})" if curves.group else ""
    return embed(
        curves_figure(curves),
        f"curves-{index + 1}-{panel + 1}-{slug(curves.metric)}",
        title=sentence_case(f"{metric_name(curves.metric)}{where}"),
        summary=curves_summary(curves),
    )


def _legend(curves: StageCurves) -> tuple[tuple[str, int], ...]:
    shown = sorted(curves.series, key=lambda series: series.style)
    named = [(series.label, series.style) for series in shown[: len(theme.SERIES)]]
    behind = [(curves.crowd_label, len(theme.SERIES))] if curves.crowd else []
    return (*named, *behind)


def _response(study: StudyRecord, index: int, table: StageTable) -> EmbeddedFigure | None:
    stage = study.stages[index]
    curve = response(stage, table) if stage.after_training else None
    if curve is None:
        return None
    return embed(
        response_figure(curve),
        f"response-{index + 1}",
        title=sentence_case(f"{metric_name(curve.metric)} against {curve.setting}"),
        summary=response_summary(curve),
    )
