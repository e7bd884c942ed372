"""The page and the table about a learning-rate range test say what was measured."""

import csv
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from reports.figures.rate_range import rate_figure, rate_summary
from reports.rate_page import (
    notes,
    rate_contents,
    rates_csv,
    render_rates,
    verdict,
    worth_a_try,
    write_rates,
)
from reports.rate_record import RateRecord, SuggestedRecord

FOUND = SuggestedRecord(
    steepest=0.002, tenth=0.01, least_at=0.1, low=0.002, high=0.01, still_falls=False
)
RECORD = RateRecord(
    study="demo <b>",
    task="semantic_segmentation",
    configuration="base settings",
    settings=(("optimizer", "sgd"), ("batch size", "8")),
    rates=(0.001, 0.01, 0.1, 1.0),
    losses=(1.0, 0.5, 0.25, 1 / 3),
    smoothed=(0.9, 0.6, 0.3, 1e9),
    window=1,
    steps=40,
    has_exploded=True,
    suggested=FOUND,
)


def suggesting(**changes: object) -> RateRecord:
    return replace(RECORD, suggested=replace(FOUND, **changes))  # type: ignore[arg-type]


def test_the_figure_holds_every_step_and_each_suggestion_where_it_lies() -> None:
    traces = {trace.name: trace for trace in rate_figure(RECORD).data}
    assert tuple(traces["loss of a step"].x) == RECORD.rates
    assert tuple(traces["smoothed"].y) == RECORD.smoothed
    marks = [traces[name] for name in list(traces)[2:]]
    assert [(mark.x[0], mark.y[0]) for mark in marks] == [(0.002, 0.9), (0.01, 0.6), (0.1, 0.3)]


def test_an_explosion_does_not_flatten_the_rest() -> None:
    low, high = rate_figure(RECORD).layout.yaxis.range
    assert low < 0.3
    assert 0.9 < high < 2


def test_without_a_suggestion_none_is_marked() -> None:
    nothing = replace(RECORD, suggested=None)
    assert len(rate_figure(nothing).data) == 2
    assert rate_summary(nothing).startswith("The loss does not fall clearly at any rate; it expl")
    assert verdict(nothing).startswith("No learning rate can be suggested")


def test_a_test_whose_first_step_exploded_can_be_drawn() -> None:
    empty = replace(RECORD, rates=(), losses=(), smoothed=(), suggested=None)
    assert "begin lower (--low)" in notes(empty)[0]
    assert "No learning rate can be suggested" in render_rates(empty, generated_at="now")


def test_both_ends_are_said_or_one_rate_where_they_hardly_differ() -> None:
    assert verdict(RECORD) == "Worth a try: learning rates from 0.002 to 0.01."
    near = suggesting(low=0.008, high=0.01, steepest=0.01, tenth=0.008)
    assert worth_a_try(near.suggested or FOUND) == (0.01,)
    assert verdict(near) == "Worth a try: a learning rate of about 0.01."


def test_the_summary_says_where_it_exploded() -> None:
    assert rate_summary(RECORD) == (
        "The loss falls fastest at 0.002 and is all but least from 0.1 on; it exploded at 1, "
        "after 4 of 40 steps."
    )


@pytest.mark.parametrize(
    ("record", "note"),
    [
        (suggesting(still_falls=True), "still falling at 1, the highest rate: go higher"),
        (replace(RECORD, suggested=None), "begin lower (--low)"),
        (replace(RECORD, suggested=None, has_exploded=False), "Take more steps (--steps)"),
    ],
)
def test_what_limits_the_answer_is_said_with_what_to_do(record: RateRecord, note: str) -> None:
    assert note in notes(record)[0]
    assert "replaces no study" in notes(record)[-1]


def test_the_table_holds_every_step_with_all_digits() -> None:
    rows = list(csv.DictReader(StringIO(rates_csv(RECORD))))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4]
    assert tuple(float(row["learning_rate"]) for row in rows) == RECORD.rates
    assert tuple(float(row["loss"]) for row in rows) == RECORD.losses
    assert tuple(float(row["smoothed_loss"]) for row in rows) == RECORD.smoothed


def test_the_page_is_the_same_every_time_and_names_are_no_markup() -> None:
    page = render_rates(RECORD, generated_at="now")
    assert page == render_rates(RECORD, generated_at="now")
    assert "<h1>demo &lt;b&gt;</h1>" in page
    assert "demo <b>" not in page
    assert rate_contents(RECORD).figure.id in page


def test_page_and_table_are_written(tmp_path: Path) -> None:
    write_rates(RECORD, tmp_path / "new" / "page.html", tmp_path / "new" / "page.csv")
    assert (tmp_path / "new" / "page.csv").read_bytes().decode() == rates_csv(RECORD)
    assert "Worth a try" in (tmp_path / "new" / "page.html").read_text()
