"""A joint search over a cross-validated study: told means over folds, pruned by the first one."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Office = Any  # of conftest.py, which cannot be imported


@pytest.mark.parametrize(
    "pruner", [{"name": "hyperband"}, {"name": "wilcoxon", "p_threshold": 0.3}]
)
def test_a_search_ends_with_every_fold_accounted_for(
    empty_office: Callable[[Mapping[str, Any]], Office], pruner: Mapping[str, Any]
) -> None:
    joint = {
        "space": {"training.learning_rate": {"low": 1e-5, "high": 1.0, "log": True}},
        "sampler": "tpe",
        "trials": 8,
        "pruner": pruner,
    }
    office = empty_office(
        {
            "study": "demo",
            "task": "semantic_segmentation",
            "data": {"dataset": "none", "folds": 4},
            "model": {"name": "noop", "optimum": {"learning_rate": 1e-3}},
            "training": {"learning_rate": 1e-2, "batch_size": 2, "epochs": 9},
            "objective": {"metric": "val/iou"},
            "search": {"joint": joint},
        }
    )
    office.launch()
    record = office.record()
    assert record.is_finished
    assert len(record.cells) == 8 * 4
    outcomes = [str(cell.outcome) for cell in record.cells.values()]
    assert set(outcomes) == {"complete", "pruned"}
    [decision] = record.stages[0].decisions
    [best] = [each for each in decision.candidates if each.configuration == decision.winners[0]]
    assert list(best.values) == [f"fold {fold}, seed 0" for fold in range(4)]
    assert best.mean == pytest.approx(sum(best.values.values()) / 4)
    assert "are what the records say" in office.ask("verify", str(office.place.report("demo")))
