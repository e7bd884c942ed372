"""Bands over seeds, and the epoch from which on a winner overfits."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from reports.figures.curve_lines import CurveLine, band_outline
from reports.figures.curves import curves_figure, curves_summary, stage_curves
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
    assert "after epoch 3" in found.sentence


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


def turned(epoch: EpochRecord) -> EpochRecord:
    """Give an epoch a validation loss that is least in epoch 3."""
    return replace(epoch, metrics={**epoch.metrics, "val/loss": 0.5 + 0.1 * abs(epoch.epoch - 3)})
