"""What a study will run and take, before anything is trained."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from data_pipeline.catalog import data_fingerprint
from studies.running.forecast import Forecast, TimedBatch, estimate_s, forecast, time_one_batch
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.growth import grow
from studies.tree.sources import Sources
from trackers.records import Outcome

MakeSpec = Callable[..., StudySpec]
Measure = Callable[..., list[PlannedCell]]
RATE = {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01, 0.001]}}
BATCH = {"stage": "batch", "vary": {"training.batch_size": [2, 4]}}
THRESHOLD = {
    "stage": "threshold",
    "after_training": True,
    "vary": {"evaluation.threshold": [0.3, 0.5]},
}
TIMED = TimedBatch(
    device="cpu",
    seconds=2.0,
    images=4,
    image_size=64,
    train_images=90,
    val_images=30,
    weights_bytes=10,
    checkpoint_bytes=100,
)


def plan(
    spec: StudySpec,
    results: Mapping[str, CellResult] | None = None,
    *,
    timed: TimedBatch | None = None,
    workers: int = 1,
) -> Forecast:
    return forecast(
        spec, results or {}, sources=Sources(data_fingerprint), timed=timed, workers=workers
    )


def seconds_of(spec: StudySpec) -> list[float | None]:
    cells = grow(spec, {}, data_fingerprint=data_fingerprint).cells().values()
    return [estimate_s(cell, TIMED) for cell in cells]


def test_every_cell_that_can_be_known_is_a_row(make_spec: MakeSpec) -> None:
    found = plan(make_spec(RATE, BATCH, THRESHOLD, search={"replicates": 2}))
    stages = [row.stage for row in found.rows]
    assert [(name, stages.count(name)) for name in dict.fromkeys(stages)] == [
        ("rate", 6), ("batch", 4), ("threshold", 4),
    ]  # fmt: skip
    assert found.unknown_cells == {}
    assert found.rows[0].varied == {"training.learning_rate": 0.1}
    assert {row.outcome for row in found.rows} == {None}


def test_a_cell_without_epochs_is_a_trial_that_scores_once(make_spec: MakeSpec) -> None:
    spec = make_spec({"stage": "epochs", "vary": {"training.epochs": [0, 3]}})
    found = plan(spec, timed=TIMED)
    assert [row.needs_trial for row in found.rows] == [True, True]
    assert [row.seconds for row in found.rows] == [
        4 * 0.5 * 10,
        4 * 0.5 * (90 + 10) * 3,
    ]  # 4 x the pixels
    assert found.epochs == 3
    assert found.disk_bytes == 2 * 10 + 2 * 100


def test_below_an_undecided_stage_its_first_candidate_is_assumed_to_win(
    make_spec: MakeSpec,
) -> None:
    found = plan(make_spec(RATE, BATCH))
    assumed = {row.stage: row.is_assumed for row in found.rows}
    assert assumed == {"rate": False, "batch": True}
    below = [row.cell.settings.training.learning_rate for row in found.rows if row.is_assumed]
    assert below == [0.1, 0.1]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_first_candidate_is_assumed_in_either_direction(
    make_spec: MakeSpec, direction: str
) -> None:
    objective = {"metric": "val/iou", "direction": direction}
    found = plan(make_spec(RATE, BATCH, objective=objective))
    assert {row.cell.settings.training.learning_rate for row in found.rows[3:]} == {0.1}


def test_epochs_count_each_training_once(make_spec: MakeSpec) -> None:
    spec = make_spec(RATE, BATCH, THRESHOLD, search={"replicates": 2})
    found = plan(spec)
    reused = [row for row in found.rows if row.is_reused]
    assert [row.stage for row in reused] == ["batch", "batch", "threshold", "threshold"]
    rescored = [row for row in found.rows if row.cell.source]
    assert [(row.epochs, row.stage) for row in rescored] == [(0, "threshold")] * 2
    assert found.epochs == 2 * 2 * (3 + 1)


def test_what_a_re_scoring_still_needs_is_counted(make_spec: MakeSpec) -> None:
    found = plan(make_spec({**THRESHOLD, "vary": {"evaluation.threshold": [0.3, 0.7]}}))
    assert [(row.epochs, dict(row.varied)) for row in found.rows] == [
        (2, {}), (0, {"evaluation.threshold": 0.3}), (0, {"evaluation.threshold": 0.7}),
    ]  # fmt: skip
    assert found.epochs == 2


def test_what_is_decided_is_not_assumed_and_not_run_again(
    make_spec: MakeSpec, measure: Measure
) -> None:
    spec = make_spec(RATE, BATCH, THRESHOLD)
    results: dict[str, CellResult] = {}
    measure(spec, results, lambda cell: 1 - cell.settings.training.learning_rate)
    found = plan(spec, results)
    assert {row.stage: row.is_assumed for row in found.rows} == {
        "rate": False, "batch": False, "threshold": True,
    }  # fmt: skip
    below = [
        row.cell.settings.training.learning_rate for row in found.rows if row.stage == "batch"
    ]
    assert below == [0.001, 0.001], "the true winner"
    assert {row.outcome for row in found.rows[:3]} == {Outcome.COMPLETE}
    assert found.epochs == 2, "batch size 4"


@pytest.mark.parametrize(
    ("outcome", "epochs"), [(Outcome.FAILED, 4), (Outcome.STOPPED, 4), (Outcome.INFEASIBLE, 2)]
)
def test_what_a_launch_tries_again_is_counted(
    make_spec: MakeSpec, measure: Measure, outcome: Outcome, epochs: int
) -> None:
    spec = make_spec(RATE)
    results: dict[str, CellResult] = {}
    measure(spec, results, lambda _: 0.5)
    first, second, _ = results
    results[first] = CellResult(outcome, {}, 0.0, 0.0, None)
    del results[second]
    assert plan(spec, results).epochs == epochs


def test_a_samplers_cells_and_those_below_are_counted_as_unknown(make_spec: MakeSpec) -> None:
    sampled = {
        "stage": "sampled",
        "vary": {"training.learning_rate": {"low": 0.01, "high": 0.1}},
        "sampler": "tpe",
        "trials": 5,
    }
    found = plan(make_spec(BATCH, sampled, THRESHOLD, search={"replicates": 2}), timed=TIMED)
    assert found.unknown_cells == {"sampled": 10, "threshold": 4}
    assert {row.stage for row in found.rows} == {"batch"}


def test_recorded_proposals_are_planned_and_the_rest_counts_as_the_base(
    make_spec: MakeSpec,
) -> None:
    vary = {"training.learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
    spec = make_spec({"stage": "rate", "vary": vary, "sampler": "tpe", "trials": 5})
    found = forecast(
        spec,
        {},
        sources=Sources(data_fingerprint),
        timed=None,
        workers=1,
        proposals={"rate": [{"training.learning_rate": 0.05}, {"training.learning_rate": 0.02}]},
    )
    assert [row.varied["training.learning_rate"] for row in found.rows] == [0.05, 0.02]
    assert found.unknown_cells == {"rate": 3}
    assert found.epochs == 5 * spec.training.epochs


def test_what_follows_the_tree_is_counted_before_it_is_decided(make_spec: MakeSpec) -> None:
    after = {"probe": True, "confirm": {"finalists": 2, "seeds": 3}}
    found = plan(make_spec(RATE, BATCH, search=after))
    assert found.unknown_cells == {"fresh seeds": 2 * 3, "beside rate": 2}
    tree_alone = plan(make_spec(RATE, BATCH))
    assert found.epochs == tree_alone.epochs + 2 * (2 * 3 + 2), "each cell trains two epochs"


def rate_and_batch(cell: PlannedCell) -> float:
    return cell.settings.training.learning_rate + cell.settings.training.batch_size


def test_what_follows_a_decided_tree_is_planned_cell_by_cell(
    make_spec: MakeSpec, measure: Measure
) -> None:
    spec = make_spec(RATE, BATCH, search={"probe": True})
    results: dict[str, CellResult] = {}
    for _ in range(2):
        measure(spec, results, rate_and_batch)
    rows = [row for row in plan(spec, results).rows if row.stage == "beside rate"]
    assert [row.is_reused for row in rows] == [True, False]
    assert [row.outcome for row in rows] == [Outcome.COMPLETE, None]
    assert not any(row.is_assumed for row in rows)


def test_a_stage_without_a_complete_cell_ends_the_forecast(
    make_spec: MakeSpec, measure: Measure
) -> None:
    spec = make_spec(RATE, BATCH)
    results: dict[str, CellResult] = {}
    measure(spec, results, lambda _: Outcome.INFEASIBLE)
    found = plan(spec, results)
    assert (found.unknown_cells, found.epochs) == ({"batch": 2}, 0)


def test_a_training_takes_its_images_and_a_third_for_validation(make_spec: MakeSpec) -> None:
    stage = {"stage": "epochs", "vary": {"training.epochs": [1, 5]}}
    spec = make_spec(stage, data={"dataset": "none", "image_size": 64})
    assert seconds_of(spec) == pytest.approx([0.5 * (90 + 10), 5 * 0.5 * (90 + 10)])


def test_time_grows_with_the_pixels(make_spec: MakeSpec) -> None:
    stage = {"stage": "size", "vary": {"data.image_size": [32, 64, 128]}}
    assert seconds_of(make_spec(stage, training={"epochs": 1})) == pytest.approx([12.5, 50, 200])


def test_time_shrinks_with_limits_on_images(make_spec: MakeSpec) -> None:
    limits = [{"train": 30, "val": 3}, {"train": 1000}]
    stage = {"stage": "limit", "vary": {"data.limit": limits}}
    spec = make_spec(stage, data={"dataset": "none", "image_size": 64}, training={"epochs": 1})
    assert seconds_of(spec) == pytest.approx([0.5 * (30 + 1), 0.5 * (90 + 10)])


def test_what_is_not_kept_is_decoded_each_time_for_every_view(make_spec: MakeSpec) -> None:
    spec = make_spec(RATE, data={"dataset": "none", "image_size": 64, "cache": "off"})
    cell = next(iter(grow(spec, {}, data_fingerprint=data_fingerprint).cells().values()))
    slow = replace(TIMED, fetch_s=3.0, loaders=2)
    epochs, steps_s = 2, 2 * 50.0
    decoding_s = epochs * 3.0 * (90 + 30) / 2
    assert estimate_s(cell, slow) == pytest.approx(steps_s + decoding_s)
    assert estimate_s(cell, replace(slow, device="cuda:0")) == pytest.approx(decoding_s)
    assert estimate_s(cell, replace(slow, scored=10)) == pytest.approx(
        epochs * (0.5 * (90 + 3 / 3) + 3.0 * (90 + 3) / 2)
    )


@pytest.mark.parametrize(("loaders", "share"), [("auto", 1), (4, 4)])
def test_trials_side_by_side_share_the_cores_that_decode(
    loaders: str | int, share: int, make_spec: MakeSpec
) -> None:
    data = {"dataset": "none", "image_size": 64, "cache": "off", "workers": loaders}
    spec, slow = make_spec(RATE, data=data), replace(TIMED, fetch_s=3.0, loaders=4)
    fast, found = (plan(spec, timed=timed, workers=4).seconds for timed in (TIMED, slow))
    assert fast is not None
    assert found == pytest.approx(fast + 3 * 2 * 3.0 * (90 + 30) / share / 4)


def test_what_is_kept_is_decoded_once_for_all_cells_of_a_size(make_spec: MakeSpec) -> None:
    sizes = {"stage": "size", "vary": {"data.image_size": [64, 128]}}
    slow = replace(TIMED, fetch_s=3.0, keep_s=5.0, loaders=2)
    for stages, sides in (((RATE,), 1), ((RATE, sizes), 1 + 4)):
        spec = make_spec(*stages, data={"dataset": "none", "image_size": 64})
        fast, found = plan(spec, timed=TIMED).seconds, plan(spec, timed=slow).seconds
        assert fast is not None
        assert found == pytest.approx(fast + sides * 5.0 * (90 + 30) / 2)


def test_workers_share_the_time(make_spec: MakeSpec) -> None:
    spec = make_spec(RATE, data={"dataset": "none", "image_size": 64})
    alone, shared = (plan(spec, timed=TIMED, workers=workers) for workers in (1, 4))
    assert alone.seconds == pytest.approx(3 * 2 * 50.0)
    assert shared.seconds == pytest.approx(3 * 2 * 50.0 / 4)


def test_disk_holds_every_best_weights_and_two_checkpoints_a_worker(make_spec: MakeSpec) -> None:
    assert plan(make_spec(RATE), timed=TIMED, workers=2).disk_bytes == 3 * 10 + 2 * 2 * 100


def test_without_a_timed_batch_there_is_no_estimate(make_spec: MakeSpec) -> None:
    found = plan(make_spec(RATE, THRESHOLD))
    assert (found.seconds, found.disk_bytes, found.timed) == (None, None, None)
    assert found.rows[0].seconds is None


def test_a_scripted_model_is_not_timed(make_spec: MakeSpec) -> None:
    assert time_one_batch(make_spec(RATE)) is None


@pytest.fixture
def interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that puts a shell script in place of Python: loading torch takes long."""

    def use(script: str) -> None:
        file = tmp_path / "python"
        file.write_text(f"#!/bin/sh\ncat > {tmp_path}/order.json\n{script}\n")
        file.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(file))

    return use


def test_a_batch_is_timed_at_the_base_settings(
    make_spec: MakeSpec, interpreter: Callable[[str], None], tmp_path: Path
) -> None:
    spec = make_spec(RATE, model={"name": "unet", "base_channels": 2})
    interpreter(f"echo a warning; echo '{json.dumps(asdict(TIMED))}'")
    assert time_one_batch(spec) == TIMED
    order = json.loads((tmp_path / "order.json").read_text())
    assert order["task"] == "semantic_segmentation"
    assert CellSettings.model_validate(order["settings"]) == base_settings(spec)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo Traceback >&2; echo 'DataError: no images' >&2; exit 1", "DataError: no images"),
        ("exit 3", "no output"),
    ],
)
def test_a_step_that_cannot_be_timed_says_why(
    make_spec: MakeSpec, interpreter: Callable[[str], None], script: str, message: str
) -> None:
    interpreter(script)
    with pytest.raises(RuntimeError, match=f"^timing one batch failed: {message}$"):
        time_one_batch(make_spec(RATE, model={"name": "unet", "base_channels": 2}))


def test_a_step_that_takes_too_long_is_given_up_with_a_remedy(
    make_spec: MakeSpec, interpreter: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studies.running.forecast.TIMING_TIMEOUT_S", 0.2)
    interpreter("exec sleep 5")
    message = "^timing one batch took more than 0.2 s and was stopped; plan with --no-estimate"
    with pytest.raises(RuntimeError, match=message):
        time_one_batch(make_spec(RATE, model={"name": "unet", "base_channels": 2}))
