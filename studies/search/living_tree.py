"""The tree of a running study: grown from the ledger, copied into Optuna, written back."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from optuna.storages import BaseStorage

from data_pipeline.settings import DataSettings
from studies.search.stage_search import ConfigurationResult, StageSearch
from studies.spec.schema import CellSettings, StudySpec
from studies.tree.cells import CellResult, no_start
from studies.tree.growth import (
    Configuration,
    GrownStage,
    Tree,
    grow,
    objective_value,
    replicate_name,
    search_name,
)
from studies.tree.ledger import Ledger
from trackers.records import ConfigurationRecord, Outcome, StageRecord


class LivingTree:
    """Grows whenever results came in."""

    def __init__(
        self,
        spec: StudySpec,
        ledger: Ledger,
        *,
        storage: BaseStorage,
        data_fingerprint: Callable[[DataSettings], str],
        start_fingerprint: Callable[[CellSettings], str] = no_start,
    ) -> None:
        self._spec = spec
        self._ledger = ledger
        self._storage = storage
        self._data_fingerprint = data_fingerprint
        self._start_fingerprint = start_fingerprint

    def refresh(self) -> Tree:
        """Grow as far as the results allow, and write the plan down."""
        results = self._ledger.results(self._spec.study)
        tree = self._grow(results)
        while self._search(tree, results):
            tree = self._grow(results)
        records = [stage_record(stage) for stage in tree.stages]
        self._ledger.plan(self._spec.study, tree.cells().values(), records)
        return tree

    def _grow(self, results: Mapping[str, CellResult]) -> Tree:
        return grow(
            self._spec,
            results,
            data_fingerprint=self._data_fingerprint,
            start_fingerprint=self._start_fingerprint,
            proposals=self._ledger.proposals(self._spec.study),
        )

    def _search(self, tree: Tree, results: Mapping[str, CellResult]) -> bool:
        """Bring Optuna up to date; say whether it proposed something new."""
        is_new = False
        for grown in reachable(tree):
            for name, configurations in searches(grown, tree):
                search = StageSearch(
                    self._storage,
                    f"{self._spec.study} / {name}",
                    grown.stage,
                    maximize=self._spec.objective.direction == "maximize",
                )
                told = [self._result(each, results) for each in configurations]
                proposals = search.advance([each.varied for each in configurations], told)
                for number, varied in enumerate(proposals, start=len(configurations)):
                    self._ledger.save_proposal(
                        self._spec.study, name, number=number, varied=varied
                    )
                    is_new = True
        return is_new

    def _result(
        self, configuration: Configuration, results: Mapping[str, CellResult]
    ) -> ConfigurationResult | None:
        """Return a configuration's result once all its cells ended."""
        ended = {
            replicate_name(cell): results[cell.id]
            for cell in configuration.cells
            if cell.id in results
        }
        if len(ended) < len(configuration.cells):
            return None
        metric = self._spec.objective.metric
        values = {
            name: value
            for name, result in ended.items()
            if (value := objective_value(result, metric)) is not None
        }
        outcomes = {name: str(result.outcome) for name, result in ended.items()}
        return ConfigurationResult(
            value=sum(values.values()) / len(values) if values else None,
            is_infeasible=any(each.outcome is Outcome.INFEASIBLE for each in ended.values()),
            attributes={
                "configuration": configuration.id,
                "values": values,
                "outcomes": outcomes,
                "cells": [cell.id for cell in configuration.cells],
            },
        )


def reachable(tree: Tree) -> Iterator[GrownStage]:
    """Yield the stages whose inherited settings are known."""
    for grown in tree.stages:
        yield grown
        if not grown.decisions:
            return


def searches(grown: GrownStage, tree: Tree) -> Iterator[tuple[str, list[Configuration]]]:
    """Yield each search of a stage with its configurations, in the order they were proposed."""
    above = tree.stages[: tree.stages.index(grown)]
    branches = _branches(above[-1]) if above else [None]
    groups: Sequence[str] = grown.stage.groups if grown.stage.decides_per_group else ("",)
    for number, parent in enumerate(branches):
        for group in groups:
            name = search_name(grown.stage.name, number, group)
            belongs = [
                each
                for each in grown.configurations
                if each.group == group and (len(branches) == 1 or each.parent == parent)
            ]
            yield name, belongs


def _branches(above: GrownStage) -> list[str | None]:
    """Return the configurations that a stage's successors inherit from."""
    if above.stage.decides_per_group:
        return [None]  # one branch, in which each class has its own origin
    return list(above.decisions[0].winners)


def stage_record(grown: GrownStage) -> StageRecord:
    """Turn a grown stage into the record that reports read."""
    stage = grown.stage
    return StageRecord(
        name=stage.name,
        after_training=stage.after_training,
        vary=stage.vary(),
        held=stage.held,
        only={"data.classes": list(stage.groups)} if stage.is_restricted else {},
        configurations=tuple(
            ConfigurationRecord(
                id=each.id,
                parent=each.parent,
                varied=each.varied,
                group=each.group,
                cells=tuple(cell.id for cell in each.cells),
                brief=each.brief,
            )
            for each in grown.configurations
        ),
        decisions=grown.decisions,
        planned_cells=grown.planned_cells,
        together=stage.together,
    )


def data_fingerprints(
    read: Callable[[DataSettings], str],
) -> Callable[[DataSettings], str]:
    """Return `read`, asked once per distinct setting: it reads the dataset's files."""
    known: dict[str, str] = {}

    def fingerprint(settings: DataSettings) -> str:
        key = settings.model_dump_json()
        if key not in known:
            known[key] = read(settings)
        return known[key]

    return fingerprint
