"""A ledger with a planned study."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, make_url

from data_pipeline.catalog import data_fingerprint
from studies.search.living_tree import stage_record
from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult
from studies.tree.grown import Tree
from studies.tree.growth import grow
from studies.tree.ledger import Ledger


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def ledger_place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | URL:
    """Return where a ledger may be opened; each test runs on every kind."""
    if request.param == "sqlite":
        return tmp_path / "workspace.db"
    return make_url(request.getfixturevalue("postgres_server").new_database())


@pytest.fixture
def ledger(ledger_place: Path | URL) -> Iterator[Ledger]:
    """Return an empty ledger."""
    opened = Ledger(ledger_place)
    yield opened
    opened.close()


@pytest.fixture
def spec(make_spec: Callable[..., StudySpec]) -> StudySpec:
    stages: list[dict[str, Any]] = [
        {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01]}},
        {
            "stage": "threshold",
            "after_training": True,
            "vary": {"evaluation.threshold": [0.3, 0.5]},
        },
    ]
    return make_spec(*stages, search={"replicates": 2})


@pytest.fixture
def plan_in() -> Callable[..., Tree]:
    """Return a function that grows a study and writes its plan into a ledger."""

    def plan(
        ledger: Ledger, spec: StudySpec, results: dict[str, CellResult] | None = None
    ) -> Tree:
        tree = grow(spec, results or {}, data_fingerprint=data_fingerprint)
        resolved = spec.model_dump(mode="json", by_alias=True)
        ledger.save_study(
            spec.study, text="study: demo", resolved=resolved, environment={"os": "x"}
        )
        records = [stage_record(stage) for stage in tree.stages]
        ledger.plan(spec.study, tree.cells().values(), records)
        return tree

    return plan
