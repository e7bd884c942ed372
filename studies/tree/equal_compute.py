"""How much a training computes, in numbers that are known before it: for equal budgets.

Work is epochs times the pixels of an image: what the multiply-accumulates of one network grow
with. A tree's stages inherit winners that nobody knows yet, so that each counts with the base's
epochs and image size where it does not set its own. It is tried from each branch that a beam
keeps. What was trained above is not trained again: re-scoring is free, and so is the inherited
configuration where a stage's lists hold it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from studies.spec.schema import CellSettings, StudySpec
from studies.spec.search_schema import Range
from studies.spec.settings import base_settings, canonical, with_changes
from studies.tree.replicates import replicate_count

if TYPE_CHECKING:
    from studies.tree.stages import Stage  # which is made with what is counted here

EPOCHS, SIZE = "training.epochs", "data.image_size"


@dataclass(frozen=True, slots=True)
class WorkBudget:
    """The work that a search may spend, and what one of its configurations takes."""

    limit: float
    epochs: int  # of the base settings
    image_size: int  # of the base settings, pixels
    cells: int  # of a configuration

    def of(self, varied: Mapping[str, Any]) -> float:
        """Return what a configuration computes if it trains to the end."""
        epochs, size = varied.get(EPOCHS, self.epochs), varied.get(SIZE, self.image_size)
        return float(epochs) * float(size) ** 2 * self.cells

    @property
    def configurations(self) -> int:
        """About how many configurations it suffices for, if none is pruned."""
        return max(1, round(self.limit / self.of({})))


def work_of(settings: CellSettings, epochs: float) -> float:
    """Return what so many epochs of a cell compute: epochs times pixels."""
    return epochs * float(settings.data.image_size) ** 2


def budget_like(spec: StudySpec, stages: Iterable["Stage"]) -> WorkBudget:
    """Return what the cells of a tree's stages would compute, as the budget of a joint search."""
    groups = len(spec.data.classes) if spec.data.one_model_per_class else 1
    return WorkBudget(
        limit=sum(_works(spec, stages)) * replicate_count(spec),
        epochs=spec.training.epochs,
        image_size=spec.data.image_size,
        cells=replicate_count(spec) * groups,
    )


def _works(spec: StudySpec, stages: Iterable["Stage"]) -> Iterator[float]:
    """Yield the work of each stage that none above has done, for one seed."""
    branches = 1
    varied: dict[str, Sequence[Any]] = {}  # above; of a range nobody knows what wins
    every_group = spec.data.classes if spec.data.one_model_per_class else [""]
    trained = set(every_group if spec.search.base else ())  # have what is inherited already
    for stage in stages:
        if stage.after_training:
            lacking = len(set(stage.groups) - trained)
            yield _work(spec, {}) * branches * lacking
            trained |= set(stage.groups)
        else:
            again = _work(spec, {}) if _holds_inherited(spec, stage, varied) else 0.0
            known = len(trained & set(stage.groups))
            yield (_stage_work(spec, stage) * len(stage.groups) - again * known) * branches
            # What `with` held is not inherited: the winner was not trained as it goes on.
            trained = set() if stage.held else set(stage.groups)
        varied |= {path: stage.lists.get(path, ()) for path in stage.vary()}
        branches = min(stage.beam, branches * stage.candidates_per_branch)


def _holds_inherited(spec: StudySpec, stage: "Stage", varied: Mapping[str, Sequence[Any]]) -> bool:
    """Say whether a stage tries what it inherits too, whichever value won above."""
    if stage.sampler is not None or stage.held or stage.branches:
        return False
    paths = list(stage.vary())
    tried = {
        tuple(_set_to(spec, path, each[path]) for path in paths) for each in stage.combinations()
    }
    if not all(varied.get(path, [None]) for path in paths):
        return False
    base = base_settings(spec).model_dump_json()
    inherited = [
        [_set_to(spec, path, value) for value in varied[path]] if path in varied else [base]
        for path in paths
    ]
    return all(each in tried for each in product(*inherited))


def _set_to(spec: StudySpec, path: str, value: object) -> str:
    """Return what tells a value apart: the base settings with it, however it is written."""
    try:
        return with_changes(base_settings(spec), {path: value}).model_dump_json()
    except ValueError:  # it is valid with another stage's winner only
        return json.dumps(canonical(value), sort_keys=True)


def _stage_work(spec: StudySpec, stage: "Stage") -> float:
    """Sum over what is tried; of what a sampler will propose, over the ends of its ranges."""
    if stage.sampler is None:
        tried = [_work(spec, {**stage.held, **varied}) for varied in stage.combinations()]
        total = sum(tried)
    else:
        tried = [_work(spec, {**stage.held, **varied}) for varied in _costly(stage)]
        total = sum(tried) / len(tried) * stage.candidates_per_branch
    return total


def _work(spec: StudySpec, changes: Mapping[str, Any]) -> float:
    epochs = changes.get(EPOCHS, spec.training.epochs)
    size = changes.get(SIZE, spec.data.image_size)
    return float(epochs) * float(size) ** 2


def _costly(stage: "Stage") -> Iterator[dict[str, Any]]:
    """Yield the combinations of what a stage varies and work depends on."""
    values: dict[str, list[Any]] = {}
    for path in (EPOCHS, SIZE):
        if path in stage.lists:
            values[path] = list(stage.lists[path])
        elif path in stage.ranges:
            values[path] = _ends(stage.ranges[path])
    for chosen in product(*values.values()):
        yield dict(zip(values, chosen, strict=True))


def _ends(values: Range) -> list[float]:
    return [values.low, values.high]
