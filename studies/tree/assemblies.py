"""What is planned once a tree is decided: the networks of all classes put together, per seed.

    each class's settings at the end of the tree ──► its network, trained if it is not yet
                          │                                  │ compute of all of them together
                          └─────────────────► the single network of all classes, with as much

A class that `only` left out of the last stages inherits settings that were never trained for it;
its network is then trained now. The single network has the settings of the class whose network
took the most compute (of equal ones, the first): with one image size that is the class with the
most training images. It spends what the class networks of its seed spent together, without
stopping early.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import for_all_classes, with_changes
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.replicates import Replicate
from trackers.records import Outcome

ID_DIGITS = 12
USUAL_THRESHOLDS = tuple(step / 100 for step in range(5, 100, 5))
SINGLE_NETWORK = "single network"
PlanCell = Callable[[CellSettings, str, Replicate], PlannedCell]  # settings, class


@dataclass(frozen=True, slots=True)
class PlannedAssembly:
    """The networks of one seed, put together."""

    seed: int
    members: Mapping[str, PlannedCell]  # class -> the cell that has its settings
    single: PlannedCell | None  # None: not asked for, or not known before the members ended
    thresholds: tuple[float, ...]  # to choose from
    is_settled: bool  # every network that it needs ended
    without: tuple[str, ...]  # classes whose network ended without weights
    has_single: bool  # the single network is complete

    @property
    def id(self) -> str:
        """Name everything that its scores follow from."""
        facts = {
            "members": {group: [cell.id, cell.trained] for group, cell in self.members.items()},
            "single": self.single.id if self.single and self.has_single else None,
            "thresholds": self.thresholds,
        }
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:ID_DIGITS]

    def cells(self) -> tuple[PlannedCell, ...]:
        """Return the cells it needs, the single network last."""
        return (*self.members.values(), *([self.single] if self.single else []))


def thresholds_of(spec: StudySpec) -> tuple[float, ...]:
    """Return the thresholds to choose from, ascending."""
    if spec.assembly is not None and spec.assembly.thresholds is not None:
        return tuple(sorted(spec.assembly.thresholds))
    for stage in reversed(spec.search.tree):
        values = stage.vary.get("evaluation.threshold")
        if stage.after_training and isinstance(values, list):
            return tuple(sorted(float(value) for value in values))
    return USUAL_THRESHOLDS


def plan_assemblies(
    spec: StudySpec,
    inherited: Mapping[str, CellSettings],
    results: Mapping[str, CellResult],
    plan_cell: PlanCell,
) -> tuple[PlannedAssembly, ...]:
    """Plan one assembly per seed of a decided tree; () where the study asks for none.

    Args:
        spec: The study.
        inherited: Class -> its settings at the end of the tree.
        results: Of every cell that ended.
        plan_cell: Finds a cell, or plans it.
    """
    if spec.assembly is None:
        return ()
    members = [
        {
            group: plan_cell(settings, group, Replicate(seed))
            for group, settings in inherited.items()
        }
        for seed in range(spec.search.replicates)
    ]
    singles: dict[int, PlannedCell] = {}
    group = _costliest(members, results) if spec.assembly.single_network else None
    if group is not None:
        template = for_all_classes(inherited[group], spec.data.classes)
        for seed, cells in enumerate(members):
            if all(_is_complete(cell, results) for cell in cells.values()):
                settings = _with_compute(template, cells, group, results)
                singles[seed] = plan_cell(settings, "", Replicate(seed))
    return tuple(
        _planned(spec, seed, cells, single=singles.get(seed), results=results)
        for seed, cells in enumerate(members)
    )


def waiting_cells(spec: StudySpec, assemblies: Sequence[PlannedAssembly]) -> int:
    """Count the single networks whose settings are not known yet."""
    if spec.assembly is None or not spec.assembly.single_network:
        return 0
    known = sum(bool(each.single or each.without) for each in assemblies)
    return spec.search.replicates - known


def _planned(
    spec: StudySpec,
    seed: int,
    members: Mapping[str, PlannedCell],
    *,
    single: PlannedCell | None,
    results: Mapping[str, CellResult],
) -> PlannedAssembly:
    ended = {group: cell.id in results for group, cell in members.items()}
    without = tuple(
        group
        for group, cell in members.items()
        if ended[group] and not _is_complete(cell, results)
    )
    # Another seed may still say which settings a single network gets: that is to be waited for.
    needs_single = spec.assembly is not None and spec.assembly.single_network and not without
    return PlannedAssembly(
        seed=seed,
        members=members,
        single=single,
        thresholds=thresholds_of(spec),
        is_settled=all(ended.values())
        and (not needs_single or (single is not None and single.id in results)),
        without=without,
        has_single=single is not None and _is_complete(single, results),
    )


def _costliest(
    members: Sequence[Mapping[str, PlannedCell]], results: Mapping[str, CellResult]
) -> str | None:
    """Return the class whose settings the single network gets; None before it is known.

    It is the costliest of the first seed whose networks are all complete, so that the single
    network has the same settings with every seed.
    """
    for cells in members:
        if all(_is_complete(cell, results) for cell in cells.values()):
            return max(cells, key=lambda group: _macs(cells[group], results))
        if not all(cell.id in results for cell in cells.values()):
            return None  # this seed may be it yet
    return None


def _with_compute(
    template: CellSettings,
    members: Mapping[str, PlannedCell],
    group: str,
    results: Mapping[str, CellResult],
) -> CellSettings:
    """Let the single network spend what the networks of the classes spent together.

    An epoch of it costs no less than one of the class network whose settings it has: so many
    epochs are enough, and the limit ends it.
    """
    spent = {name: _macs(cell, results) for name, cell in members.items()}
    total = sum(spent.values())
    if spent[group]:
        epochs = math.ceil(total / spent[group] * template.training.epochs)
        changes = {"training.epochs": epochs, "training.macs_limit": total}
    else:  # nothing is computed: as many epochs as the others had together
        epochs = sum(cell.settings.training.epochs for cell in members.values())
        changes = {"training.epochs": epochs}
    return with_changes(template, {**changes, "training.early_stopping_epochs": None})


def _macs(cell: PlannedCell, results: Mapping[str, CellResult]) -> float:
    result = results.get(cell.trained)
    return result.train_macs if result else 0.0


def _is_complete(cell: PlannedCell, results: Mapping[str, CellResult]) -> bool:
    return cell.id in results and results[cell.id].outcome is Outcome.COMPLETE
