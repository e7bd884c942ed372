"""The history of a search, its settings together, and its settings one by one."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from reports.figures.parallel import UNSET, axis_of, parallel, parallel_figure, parallel_summary
from reports.figures.search_history import best_so_far, history_figure, history_summary
from reports.figures.search_points import searches
from reports.figures.slices import slice_figure, slices
from reports.page import render
from reports.search_contents import search_contents
from trackers.records import JsonValue, Outcome, StudyRecord

Build = Callable[[int], StudyRecord]


def test_configurations_are_numbered_in_the_order_in_which_they_were_tried(
    study: StudyRecord,
) -> None:
    (search,) = searches(study)
    assert [each.number for each in search.tried] == list(range(1, 14))
    assert search.stages == ("learning rate", "batch size", "optimizer", "threshold")
    cells = [study.cells[f"ba-8-{seed}"].metrics["val/iou"] for seed in range(3)]
    assert search.tried[4].value == pytest.approx(np.mean(cells))


def test_the_best_so_far_never_gets_worse(study: StudyRecord) -> None:
    (search,) = searches(study)
    values = [each.value for each in search.known]
    steps = [value for _, value in best_so_far(search)]
    assert steps == pytest.approx(np.maximum.accumulate(np.array(values, dtype=float)))
    losses = replace(search, maximize=False)
    assert [value for _, value in best_so_far(losses)] == pytest.approx(
        np.minimum.accumulate(np.array(values, dtype=float))
    )
    assert search.best is not None
    assert f"was number {search.best.number}." in history_summary(search)


def test_pruned_configurations_are_drawn_where_they_stopped(study: StudyRecord) -> None:
    cells = dict(study.cells)
    for seed in range(3):
        cell = cells[f"le-0.0001-{seed}"]
        cells[cell.id] = replace(cell, outcome=Outcome.PRUNED, metrics={}, epochs=cell.epochs[:2])
    (search,) = searches(replace(study, cells=cells))
    pruned = search.tried[2]
    assert (pruned.outcome, pruned.value) == ("pruned", None)
    reached = [cells[f"le-0.0001-{seed}"].epochs[1].metrics["val/iou"] for seed in range(3)]
    assert pruned.reached == pytest.approx(np.mean(reached))
    traces = {trace.name: trace for trace in history_figure(search).data}
    assert traces["pruned, where it stopped"].x == (3,)
    assert 3 not in traces["tried"].x


def test_configurations_without_a_value_lie_under_all_others(study: StudyRecord) -> None:
    cells = dict(study.cells)
    for seed in range(3):
        cell = cells[f"le-0.0001-{seed}"]
        cells[cell.id] = replace(cell, outcome=Outcome.INFEASIBLE, metrics={}, epochs=())
    (search,) = searches(replace(study, cells=cells))
    traces = {trace.name: trace for trace in history_figure(search).data}
    assert traces["without a value"].y[0] < min(traces["tried"].y)
    assert traces["without a value"].customdata == ("infeasible",)


def test_classes_with_their_own_networks_have_their_own_histories(
    class_study: StudyRecord,
) -> None:
    found = searches(class_study)
    assert [search.group for search in found] == ["car", "stop sign"]
    seeds = [class_study.cells[f"image=256/car/{seed}"].metrics["test/iou"] for seed in range(2)]
    assert found[0].tried[2].value == pytest.approx(np.mean(seeds))


def test_what_has_not_run_is_not_in_the_history(build: Build) -> None:
    assert searches(build(0)) == ()
    assert search_contents(build(0)).history == ()
    (search,) = searches(build(2))
    assert len(search.tried) == 6


def test_a_configuration_inherits_what_its_stage_did_not_vary(study: StudyRecord) -> None:
    (search,) = searches(study)
    last = search.tried[-1]
    assert last.settings["training.batch_size"] == 8
    assert last.settings["training.optimizer"] == "adamw"
    assert last.varied == {"evaluation.threshold"}


def test_numbers_of_many_sizes_are_placed_by_their_logarithm() -> None:
    axis = axis_of("learning rate", "training.learning_rate", [1e-4, 1e-2, 1e-3])
    assert axis.is_log
    assert axis.places == pytest.approx([0.0, 1.0, 0.5])
    assert [text for _, text in axis.ticks] == ["1e-4", "1e-3", "1e-2"]


def test_words_stand_side_by_side_and_nothing_below_them() -> None:
    values: list[JsonValue] = ["sgd", None, "adam", True]
    axis = axis_of("optimizer", "training.optimizer", values)
    assert axis.places == (0.5, None, 0.0, 1.0)
    assert axis.texts == ("sgd", "not set", "adam", "yes")


def test_lines_run_through_every_setting_that_differs(study: StudyRecord) -> None:
    (search,) = searches(study)
    drawn = parallel(search)
    assert drawn is not None
    names = [axis.name for axis in drawn.axes]
    assert names == ["learning rate", "batch size", "optimizer", "threshold", "validation IoU"]
    assert drawn.lines[-1] == search.best
    assert drawn.axes[-1].places[-1] == 1.0
    figure = parallel_figure(drawn)
    per_line = len(names) + 1  # a gap behind each
    counts = [len(trace.x) for trace in figure.data[:-1]]
    assert sum(counts) == len(drawn.lines) * per_line
    assert list(figure.data[-1].y) == [round(axis.places[-1] or 0, 4) for axis in drawn.axes]
    assert "threshold 0.3" in parallel_summary(drawn)


def test_a_setting_that_some_lack_is_passed_below_its_axis(study: StudyRecord) -> None:
    (search,) = searches(study)
    first = replace(search.tried[0], settings={"training.batch_size": 4})
    drawn = parallel(replace(search, tried=(first, *search.tried[1:])))
    assert drawn is not None
    lowest = drawn.lines.index(first)
    assert drawn.axes[0].texts[lowest] == "not set"
    heights = [y for trace in parallel_figure(drawn).data for y in trace.y]
    assert UNSET in heights


def test_axis_labels_bring_no_markup(study: StudyRecord) -> None:
    (search,) = searches(study)
    paths = ("training.<b>x</b>", *search.paths)
    tried = tuple(
        replace(each, settings={**each.settings, paths[0]: f"<i>{each.number}</i>"})
        for each in search.tried
    )
    drawn = parallel(replace(search, paths=paths, tried=tried))
    assert drawn is not None
    texts = [label.text for label in parallel_figure(drawn).layout.annotations]
    assert "&lt;b&gt;x&lt;/b&gt;" in texts
    assert not any("<" in text for text in texts)


def test_one_setting_is_no_parallel_coordinates(build: Build) -> None:
    (search,) = searches(build(1))
    assert parallel(search) is None


def test_a_slice_holds_the_configurations_that_varied_its_setting(study: StudyRecord) -> None:
    (search,) = searches(study)
    found = {each.setting: each for each in slices(search)}
    assert list(found) == ["learning rate", "batch size", "optimizer", "threshold"]
    rate = found["learning rate"]
    assert (rate.x, rate.is_log) == ((0.01, 0.001, 0.0001), True)
    assert rate.x[rate.best] == 0.001
    assert not found["optimizer"].is_numeric
    assert slice_figure(found["optimizer"]).data[0].x == ("adam", "adamw", "sgd")


def test_a_logarithmic_slice_of_many_numbers_is_ticked_by_decades(study: StudyRecord) -> None:
    (search,) = searches(study)
    path = "training.learning_rate"
    tried = tuple(
        replace(each, settings={path: 2e-4 * 1.7**at}, varied=frozenset([path]))
        for at, each in enumerate(search.tried)
    )
    (drawn,) = slices(replace(search, paths=(path,), tried=tried))
    assert drawn.is_log
    assert slice_figure(drawn).layout.xaxis.ticktext == ("1e-3", "1e-2", "0.1")


def test_a_model_is_named_by_what_tells_it_from_the_others(study: StudyRecord) -> None:
    stage = study.stages[0]
    models: list[JsonValue] = [
        {"name": "unet", "depth": depth, "padding": "same"} for depth in (3, 4, 5)
    ]
    configurations = tuple(
        replace(each, varied={"model": model}, brief={"model": {"name": "unet", "depth": depth}})
        for each, model, depth in zip(stage.configurations, models, (3, 4, 5), strict=True)
    )
    first = replace(stage, configurations=configurations)
    (search,) = searches(replace(study, stages=(first, *study.stages[1:])))
    (found, *_) = slices(search)
    assert found.x == tuple(f"unet (depth {depth})" for depth in (3, 4, 5))


def test_a_long_word_is_cut_at_its_axis_alone(study: StudyRecord) -> None:
    (search,) = searches(study)
    path, words = "training.optimizer", ("a" * 30, "b", "c")
    tried = tuple(
        replace(each, settings={path: words[at % 3]}, varied=frozenset([path]))
        for at, each in enumerate(search.tried)
    )
    (drawn,) = slices(replace(search, paths=(path,), tried=tried))
    axis = slice_figure(drawn).layout.xaxis
    assert axis.tickvals == words
    assert axis.ticktext == ("a" * 17 + "…", "b", "c")


def test_a_tree_links_to_what_its_path_missed_or_says_how_to_look(study: StudyRecord) -> None:
    page = render(study, generated_at="1 January 2026")
    assert 'id="search-1-history"' in page
    assert "search: {probe: true}" in page
    assert 'href="#probe"' not in page
