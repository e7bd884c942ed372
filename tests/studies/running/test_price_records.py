"""The price table of a study, as its report reads it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from studies.running.price_records import with_prices
from studies.running.prices import PRICES_FILE, read_prices
from studies.spec.schema import StudySpec
from trackers.records import CellRecord, Outcome, StudyRecord, TrialRecord

DEVICE = "cuda:0 Tesla V100-PCIE-32GB"
STAGE = {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01]}}


@pytest.fixture
def make_record(make_spec: Callable[..., StudySpec]) -> Callable[..., StudyRecord]:
    """Return a function that makes the record of a study with one trial on a V100 of 32 GB."""

    def make(**budget: str) -> StudyRecord:
        spec = make_spec(STAGE, budget=budget)
        trial = TrialRecord("c", 1, Outcome.COMPLETE, "", DEVICE, "node", 0.0, 60.0, 0, "trials/c")
        return StudyRecord(
            name=spec.study,
            task=spec.task,
            description="",
            metric="val/iou",
            direction="maximize",
            select_on="validation",
            settings=spec.model_dump(mode="json", by_alias=True),
            base={},
            stages=(),
            cells={
                "c": CellRecord("c", {}, 0, "", Outcome.COMPLETE, "", {}, None, (), (trial,), 0.0)
            },
            test_scores=(),
            test_looks=0,
            baselines=(),
            environment={},
            created_at=0.0,
            is_finished=True,
        )

    return make


def test_a_report_has_every_row_and_which_are_of_its_devices(
    make_record: Callable[..., StudyRecord],
) -> None:
    prices = with_prices(make_record()).prices
    assert len(prices) == len(read_prices(PRICES_FILE))
    own = {(price.gpu, price.provider) for price in prices if price.devices}
    assert own == {("V100 32GB", "Paperspace")}


def test_only_the_providers_rows_are_there_where_one_is_named(
    make_record: Callable[..., StudyRecord],
) -> None:
    prices = with_prices(make_record(provider="Lambda")).prices
    assert {price.provider for price in prices} == {"Lambda"}


def test_a_table_that_is_gone_leaves_the_report_without_prices(
    make_record: Callable[..., StudyRecord], tmp_path: Path
) -> None:
    assert with_prices(make_record(prices=str(tmp_path / "gone.csv"))).prices == ()
