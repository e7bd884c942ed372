"""What a trial is told."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.catalog import data_fingerprint
from studies.running.orders import training_order
from studies.running.trial_order import Slot
from studies.search.living_tree import stage_record
from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import Tree
from studies.tree.growth import grow
from studies.tree.ledger import Ledger

BY_CLASS = {"dataset": "none", "classes": ["car", "bus", "van"], "one_model_per_class": True}
RATE = {"stage": "rate", "vary": {"training.learning_rate": [0.1]}}
SLOT = Slot(0, None, "cpu", 1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "workspace.db")
    yield opened
    opened.close()


def test_the_single_network_may_train_as_long_as_those_of_all_classes(
    make_spec: Callable[..., StudySpec],
    finish: Callable[..., Tree],
    ledger: Ledger,
    tmp_path: Path,
) -> None:
    both: dict[str, Any] = {
        "assembly": {"single_network": True},
        "budget": {"per_trial": {"time": "10m"}},
    }
    spec = make_spec(RATE, data=BY_CLASS, **both)
    results: dict[str, CellResult] = {}

    def score(_: PlannedCell) -> float:
        return 0.5

    finish(spec, results, score)
    tree = grow(spec, results, data_fingerprint=data_fingerprint)
    resolved = spec.model_dump(mode="json", by_alias=True)
    ledger.save_study(spec.study, text="", resolved=resolved, environment={})
    records = [stage_record(stage) for stage in tree.stages]
    ledger.plan(spec.study, tree.cells().values(), records)
    (assembly,) = tree.assemblies
    assert assembly.single is not None
    limits = {}
    for name, cell in {**assembly.members, "all": assembly.single}.items():
        order, _ = training_order(spec, ledger, tmp_path, cell=cell.id, slot=SLOT)
        limits[name] = order.limits.seconds
    assert limits == {"car": 600, "bus": 600, "van": 600, "all": 1800}
