"""Bands over seeds, and the epoch from which on a configuration overfits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from reports.figures.curve_lines import CurveLine, band_outline
from reports.figures.curves import (
    MOST_MARKED,
    curves_figure,
    curves_summary,
    stage_curves,
)
from reports.figures.embedding import embed
from reports.figures.overfitting import overfitting
from trackers.records import EpochRecord, StudyRecord

FALLING = (0.9, 0.7, 0.5, 0.4, 0.3, 0.2)
TURNING = (1.0, 0.8, 0.6, 0.65, 0.7, 0.75)


def line(values: Sequence[float | None]) -> CurveLine:
    epochs = tuple(range(1, len(values) + 1))
    seconds = tuple(10.0 * epoch for epoch in epochs)
    return CurveLine(epochs, seconds, seconds, tuple(values))


def test_overfitting_begins_where_validation_is_least_and_training_falls_on() -> None:
    found = overfitting(line(FALLING), line(TURNING))
    assert found is not None
    assert (found.epoch, found.last_epoch, found.least, found.last) == (3, 6, 0.6, 0.75)
    assert found.sentence("This one").startswith("This one overfits after epoch 3: until")


@pytest.mark.parametrize(
    ("training", "validation"),
    [
        (FALLING, (1.0, 0.8, 0.6, 0.55, 0.54, 0.53)),  # validation falls to the end
        (FALLING, (1.0, 0.8, 0.6, 0.61, 0.62, 0.65)),  # it rises by less than a tenth
        ((0.9, 0.7, 0.2, 0.4, 0.5, 0.6), TURNING),  # training rises as well: no overfitting
        ((), TURNING),  # no training loss
    ],
)
def test_other_curves_do_not_overfit(
    training: Sequence[float], validation: Sequence[float]
) -> None:
    assert overfitting(line(training), line(validation)) is None


def test_a_gap_in_a_loss_is_no_turning_point() -> None:
    found = overfitting(line(FALLING), line((1.0, 0.8, None, 0.6, 0.7, 0.8)))
    assert found is not None
    assert found.epoch == 4


def test_a_band_runs_along_the_highest_seed_and_back_along_the_lowest() -> None:
    band = band_outline([line((0.1, 0.4, 0.3)), line((0.2, 0.3))])
    assert band is not None
    assert band.epochs == (1, 2, 3, 3, 2, 1)
    assert band.values == (0.2, 0.4, 0.3, 0.3, 0.3, 0.1)
    assert band_outline([line((0.1, 0.2))]) is None


def test_the_winners_turning_point_is_marked_and_said(study: StudyRecord) -> None:
    cells = dict(study.cells)
    for seed in range(3):
        cell = cells[f"le-0.001-{seed}"]
        cells[cell.id] = replace(cell, epochs=tuple(turned(each) for each in cell.epochs))
    curves = {each.metric: each for each in stage_curves(replace(study, cells=cells), 0)}

    summary = curves_summary(curves["val/loss"])
    assert "The winner overfits after epoch 3" in summary
    assert "overfits" not in curves_summary(curves["train/loss"])
    figure = curves_figure(curves["val/loss"])
    (mark,) = [trace for trace in figure.data if trace.name == "overfits from here"]
    assert (mark.x, mark.legendgroup) == ((3,), "learning rate 1e-3")


def with_turns(study: StudyRecord, turns: Mapping[str, int]) -> StudyRecord:
    """Let configurations of the first stage turn in some epoch."""
    cells = dict(study.cells)
    for configuration in study.stages[0].configurations:
        for name in configuration.cells if configuration.id in turns else ():
            at = turns[configuration.id]
            epochs = tuple(turned(each, at) for each in cells[name].epochs)
            cells[name] = replace(cells[name], epochs=epochs)
    return replace(study, cells=cells)


def test_a_loser_that_overfits_is_marked_in_its_own_colour_and_said(study: StudyRecord) -> None:
    winner, loser = (study.stages[0].configurations[place].id for place in (1, 2))
    both = with_turns(study, {winner: 3, loser: 2})
    curves = {each.metric: each for each in stage_curves(both, 0)}["val/loss"]
    marks = [t for t in curves_figure(curves).data if t.name == "overfits from here"]
    named = {mark.legendgroup: mark for mark in marks}
    assert {name: mark.x for name, mark in named.items()} == {
        "learning rate 1e-3": (3,),
        "learning rate 1e-4": (2,),
    }
    lines = {t.name: t for t in curves_figure(curves).data if t.hovertemplate}
    for name, mark in named.items():
        assert mark.marker.color == lines[name].line.color
        assert mark.hovertemplate.startswith("%{customdata}<br>overfits after epoch")
    summary = curves_summary(curves)
    assert "The winner overfits after epoch 3" in summary
    assert "So does learning rate 1e-4 after epoch 2 (0.500 to" in summary


def test_a_label_on_a_mark_cannot_bring_markup(study: StudyRecord) -> None:
    stage = study.stages[0]
    loser = replace(stage.configurations[2], varied={"model.name": "<b>wide</b>"})
    stage = replace(stage, configurations=(*stage.configurations[:2], loser))
    both = with_turns(replace(study, stages=(stage, *study.stages[1:])), {loser.id: 3})
    curves = {each.metric: each for each in stage_curves(both, 0)}["val/loss"]
    drawn = embed(curves_figure(curves), "curves", title="t", summary="s")
    (mark,) = [t for t in json.loads(drawn.spec)["data"] if t["name"] == "overfits from here"]
    assert "&lt;b&gt;wide&lt;/b&gt;" in mark["customdata"][0]


def test_a_loser_that_overfits_alone_is_named(study: StudyRecord) -> None:
    loser = study.stages[0].configurations[2].id
    curves = {each.metric: each for each in stage_curves(with_turns(study, {loser: 3}), 0)}
    summary = curves_summary(curves["val/loss"])
    assert "Learning rate 1e-4 overfits after epoch 3: until" in summary
    assert "The winner" not in summary


def test_of_many_lines_the_winners_turn_alone_is_marked(study: StudyRecord) -> None:
    stage = study.stages[0]
    more = tuple(replace(stage.configurations[2], id=f"more-{n}") for n in range(MOST_MARKED - 2))
    stage = replace(stage, configurations=(*stage.configurations, *more))
    winner, loser = (stage.configurations[place].id for place in (1, 2))
    many = with_turns(replace(study, stages=(stage,)), {winner: 3, loser: 2})
    curves = {each.metric: each for each in stage_curves(many, 0)}["val/loss"]
    assert len(curves.series) == MOST_MARKED + 1
    assert [each.is_winner for each in curves.turned] == [True]
    assert "So do" not in curves_summary(curves)


def turned(epoch: EpochRecord, at: int = 3) -> EpochRecord:
    """Give an epoch a validation loss that is least in epoch `at`."""
    return replace(epoch, metrics={**epoch.metrics, "val/loss": 0.5 + 0.1 * abs(epoch.epoch - at)})
