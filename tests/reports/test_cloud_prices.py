"""What a study costs at other providers, and what is not told of other GPUs."""

from dataclasses import replace

import pytest

from reports.figures.cloud_cost import cloud_cost_figure, cloud_cost_summary, cloud_cost_table
from reports.page import render
from reports.tables.cloud_prices import cloud_prices
from trackers.price_records import PriceRecord
from trackers.records import CellRecord, StudyRecord

V100 = "cuda:0 Tesla V100-SXM2-16GB"
FREE = PriceRecord("K80", "Colab", 0.0, "USD", "2020-07", "thesis section 6.1 (Figure 6-1)")
PRICES = (
    PriceRecord("V100", "Paperspace", 2.4, "USD", "undated", "a list", (V100,)),
    PriceRecord("V100", "Lambda", 0.8, "USD", "undated", "a list", (V100,)),
    PriceRecord("H100", "Lambda", 4.0, "USD", "2026-05-07", "a page"),
    PriceRecord("H100", "Elsewhere", 4.0, "EUR", "2026-05-07", "a page"),
    FREE,
)


def on(study: StudyRecord, device: str) -> StudyRecord:
    """Move all trials to a device, half an hour each."""

    def moved(cell: CellRecord) -> CellRecord:
        trials = [replace(each, device=device, costs={"device_s": 1800.0}) for each in cell.trials]
        return replace(cell, trials=tuple(trials))

    cells = {name: moved(cell) for name, cell in study.cells.items()}
    return replace(study, cells=cells, prices=PRICES)


def test_hours_cost_what_each_provider_asks_for_the_same_gpu(study: StudyRecord) -> None:
    moved = on(study, V100)
    found = cloud_prices(moved)
    assert found is not None
    hours = 0.5 * sum(len(cell.trials) for cell in study.cells.values())
    money = {row.provider: row.money for row in found.priced}
    assert money == pytest.approx({"Paperspace": 2.4 * hours, "Lambda": 0.8 * hours})
    assert found.reference is not None
    assert found.reference.provider == "Lambda"


def test_of_another_gpu_only_the_speed_that_it_needs_is_told(study: StudyRecord) -> None:
    found = cloud_prices(on(study, V100))
    assert found is not None
    others = {(row.gpu, row.provider): row for row in found.rows if row.money is None}
    assert others["H100", "Lambda"].as_fast == pytest.approx(5.0)
    assert others["H100", "Elsewhere"].as_fast is None  # another currency
    assert others["K80", "Colab"].as_fast is None  # free
    assert others["K80", "Colab"].is_of_thesis
    names = [trace.name for trace in cloud_cost_figure(found).data]
    assert names == [
        "GPUs that the study did not run on",
        "GPUs of this study",
        "free hours that the thesis names",
    ]
    assert len(cloud_cost_table(found).rows) == len(PRICES)
    assert "nobody measured how long" in cloud_cost_summary(found)


def test_a_study_of_the_thesis_on_a_cpu_shows_prices_and_no_money(study: StudyRecord) -> None:
    found = cloud_prices(on(study, "cpu"))
    assert found is not None
    assert found.priced == ()
    assert cloud_cost_summary(found).startswith("The study ran on cpu, which no row prices.")


def test_prices_are_left_out_where_they_have_nothing_to_do_with_the_study(
    study: StudyRecord,
) -> None:
    assert cloud_prices(replace(on(study, "cpu"), baselines=("unet-2015",))) is None
    assert cloud_prices(replace(on(study, V100), prices=())) is None


def test_the_page_says_what_survives_of_the_thesis_figure(study: StudyRecord) -> None:
    page = render(on(study, V100), generated_at="1 January 2026")
    assert "a picture whose prices are not in its text" in page
    assert 'id="cloud-prices"' in page
    assert "thesis section 6.1 (Figure 6-1)" in page
