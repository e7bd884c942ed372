"""How much a training computes, in numbers that are known before it: for equal budgets.

Work is epochs times the pixels of an image: what the multiply-accumulates of one network grow
with. A tree's stages inherit winners that nobody knows yet, so that each counts with the base's
epochs and image size where it does not set its own; what only re-scores predictions is free.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from studies.spec.schema import CellSettings, StudySpec
from studies.spec.search_schema import Range

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
        limit=sum(_stage_work(spec, stage) for stage in stages if not stage.after_training),
        epochs=spec.training.epochs,
        image_size=spec.data.image_size,
        cells=spec.search.replicates * groups,
    )


def _stage_work(spec: StudySpec, stage: "Stage") -> float:
    """Sum over what is tried; of what a sampler will propose, over the ends of its ranges."""
    if stage.sampler is None:
        tried = [_work(spec, {**stage.held, **varied}) for varied in stage.combinations()]
        total = sum(tried)
    else:
        tried = [_work(spec, {**stage.held, **varied}) for varied in _costly(stage)]
        total = sum(tried) / len(tried) * stage.candidates_per_branch
    return total * len(stage.groups) * spec.search.replicates


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
