"""Differences over images that decisions already hold: a bootstrap takes up to minutes a pair."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from sqlalchemy import RowMapping

from studies.tree.grown import named_replicate
from studies.tree.intervals import Interval, confidence_of_each
from studies.tree.ledger import Ledger
from trackers.records import CandidateRecord, DecisionRecord, StageRecord

# Pairs of cells and the confidence of their interval.
Asked: TypeAlias = tuple[tuple[tuple[str, str], ...], float]


def known_differences(ledger: Ledger, study: str, metric: str) -> dict[Asked, Interval]:
    """Return what an earlier launch measured over images, as far as its cells are as they were."""
    stages = [
        stage
        for stage in ledger.stage_records(study)
        if any(_is_known(each, metric) for each in stage.decisions)
    ]
    if not stages:
        return {}
    cells = {row["id"]: row for row in ledger.cells(study)}
    return {
        asked: interval
        for stage in stages
        for decision in stage.decisions
        if _is_known(decision, metric)
        for asked, interval in _of_decision(stage, decision, cells, metric)
    }


def _is_known(decision: DecisionRecord, metric: str) -> bool:
    return decision.interval == "images" and decision.metric == metric


def _of_decision(
    stage: StageRecord, decision: DecisionRecord, cells: Mapping[str, RowMapping], metric: str
) -> Iterator[tuple[Asked, Interval]]:
    by_id = {each.id: each for each in stage.configurations}
    measured = {
        each.configuration: _measured(each, by_id[each.configuration].cells, cells, metric)
        for each in decision.candidates
        if each.configuration in by_id
    }
    confidence = confidence_of_each(len(decision.candidates), decision.confidence)
    best = measured.get(decision.reference, {})
    for each in decision.candidates:
        own = measured.get(each.configuration, {})
        pairs = tuple((cell, best[name]) for name, cell in own.items() if name in best)
        if each.difference is not None and pairs:
            ends = (each.difference_low, each.difference_high)
            yield (pairs, confidence), Interval(each.difference, *ends)


def _measured(
    candidate: CandidateRecord,
    configuration: tuple[str, ...],
    cells: Mapping[str, RowMapping],
    metric: str,
) -> dict[str, str]:
    """Return the cells that a candidate was judged by, {} if one has another value by now."""
    names = {
        named_replicate(cells[each]["grp"], cells[each]["seed"]): each
        for each in configuration
        if each in cells
    }
    now = {name: cells[each]["metrics"].get(metric) for name, each in names.items()}
    if any(now.get(name) != value for name, value in candidate.values.items()):
        return {}
    return {name: each for name, each in names.items() if name in candidate.values}
