import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from reports.figures.curves import curves_figure, stage_curves, time_unit
from reports.figures.embedding import figure_spec, json_for_script
from reports.figures.response import response, response_figure
from reports.figures.tree import MOST_NODES, tree_layouts
from reports.figures.tree_drawing import tree_figure, tree_summary
from reports.tables.stages import stage_tables
from trackers.records import ConfigurationRecord, StudyRecord

Build = Callable[[int], StudyRecord]


def test_the_winning_path_runs_through_every_stage(study: StudyRecord) -> None:
    (tree,) = tree_layouts(study)
    assert tree.winning_path == ("1e-3", "8", "adamw", "0.3")
    assert tree.columns == ("start", "learning rate", "batch size", "optimizer", "threshold")
    assert len(tree.nodes) == 1 + 3 + 3 + 3 + 4


def test_children_hang_below_the_winner_they_inherit_from(study: StudyRecord) -> None:
    (tree,) = tree_layouts(study)
    by_key = {node.key: node for node in tree.nodes}
    parents = {by_key[n.parent].label for n in tree.nodes if n.column == 3 and n.parent}
    assert parents == {"8"}


def test_nodes_show_the_mean_and_its_decision_on_hover(study: StudyRecord) -> None:
    (tree,) = tree_layouts(study)
    winner = next(n for n in tree.nodes if n.status == "winning" and n.column == 2)
    decision = study.stages[1].decisions[0]
    assert winner.score == pytest.approx(decision.candidates[1].mean)
    assert decision.rule in winner.detail


def test_columns_are_centred_and_evenly_spaced(study: StudyRecord) -> None:
    (tree,) = tree_layouts(study)
    rows = [node.row for node in tree.nodes if node.column == 4]
    assert rows == [-1.5, -0.5, 0.5, 1.5]


def test_undecided_stages_are_drawn_as_planned(build: Build) -> None:
    (tree,) = tree_layouts(build(2))
    planned = [node for node in tree.nodes if node.status == "planned"]
    assert [node.label for node in planned] == ["adam", "adamw", "sgd", "0.3", "0.4", "0.5", "0.6"]
    by_key = {node.key: node for node in tree.nodes}
    assert by_key[str(planned[0].parent)].label == "8"
    assert tree_summary(tree).endswith("Not decided yet: optimizer, threshold.")


def test_a_range_is_one_planned_node(build: Build) -> None:
    study = build(0)
    vary = {"training.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}}
    first = replace(study.stages[0], vary=vary)
    (tree,) = tree_layouts(replace(study, stages=(first,)))
    assert [node.label for node in tree.nodes] == ["base", "1e-5 … 1e-2"]


def test_a_stage_that_measures_the_base_is_the_root(class_study: StudyRecord) -> None:
    tree = tree_layouts(class_study)[0]
    assert tree.columns == ("base", "image size", "batch size", "threshold")
    assert tree.nodes[0].parent is None


def test_each_class_gets_its_own_tree(class_study: StudyRecord) -> None:
    trees = tree_layouts(class_study)
    assert [tree.group for tree in trees] == ["car", "stop sign"]
    assert [tree.winning_path[-1] for tree in trees] == ["0.4", "0.3"]
    assert all(len([n for n in tree.nodes if n.column == 3]) == 3 for tree in trees)


def test_a_beam_keeps_several_branches_and_wins_with_one(study: StudyRecord) -> None:
    first, second, *rest = study.stages
    names = [c.id for c in first.configurations]
    beam = replace(first.decisions[0], winners=(names[1], names[2]))
    twin = ConfigurationRecord(
        "twin", names[2], {"training.batch_size": 8}, "", second.configurations[0].cells
    )
    second = replace(second, configurations=(*second.configurations, twin))
    stages = (replace(first, decisions=(beam,)), second, *rest)
    (tree,) = tree_layouts(replace(study, stages=stages))
    status = {node.key: node.status for node in tree.nodes if node.column == 1}
    assert sorted(status.values()) == ["kept", "tried", "winning"]
    child = next(node for node in tree.nodes if node.key.endswith("/twin"))
    assert child.parent == f"0/{names[2]}"


def test_a_sampled_stage_shows_its_best_and_counts_the_rest(study: StudyRecord) -> None:
    stage = study.stages[0]
    copies = tuple(replace(stage.configurations[0], id=f"copy-{number}") for number in range(40))
    many = replace(stage, configurations=(*copies, *stage.configurations))
    (tree,) = tree_layouts(replace(study, stages=(many, *study.stages[1:])))
    column = [node for node in tree.nodes if node.column == 1]
    assert len(column) == MOST_NODES
    assert column[-1].label == "+ 30 others"
    assert "1e-3" in [node.label for node in column]


def test_the_tree_is_drawn_with_named_edges_and_a_card_per_node(study: StudyRecord) -> None:
    (tree,) = tree_layouts(study)
    figure = tree_figure(tree)
    assert [trace.name for trace in figure.data] == ["planned", "not chosen", "winning path"]
    cards = [a for a in figure.layout.annotations if a.hovertext]
    assert len(cards) == len(tree.nodes)
    assert "<b>✓ 1e-3</b>" in [card.text.split("<br>")[0] for card in cards]


def test_labels_from_a_study_cannot_bring_markup(study: StudyRecord) -> None:
    stage = replace(study.stages[0], name="<b>rate</b>")
    (tree,) = tree_layouts(replace(study, stages=(stage, *study.stages[1:])))
    texts = [a.text for a in tree_figure(tree).layout.annotations]
    assert "&lt;b&gt;rate&lt;/b&gt;" in texts


def test_mean_curves_are_means_over_seeds(study: StudyRecord) -> None:
    curves = stage_curves(study, 0)
    assert [c.metric for c in curves] == ["val/iou", "val/loss", "train/loss"]
    series = curves[0].series[1]
    cells = [study.cells[f"le-0.001-{seed}"] for seed in range(3)]
    values = np.array([[e.metrics["val/iou"] for e in cell.epochs] for cell in cells])
    walls = np.array([[e.wall_s for e in cell.epochs] for cell in cells])
    assert series.mean.values == pytest.approx(values.mean(axis=0))
    assert series.mean.wall_s == pytest.approx(walls.mean(axis=0))


def test_a_mean_stops_where_the_first_seed_stopped(study: StudyRecord) -> None:
    series = stage_curves(study, 0)[0].series[0]
    assert series.mean.epochs == (1, 2)
    assert max(line.epochs[-1] for line in series.lines) == 8


def test_a_loss_that_is_not_a_number_leaves_a_gap(study: StudyRecord) -> None:
    cell = study.cells["le-0.001-0"]
    broken = replace(cell.epochs[1], metrics={**cell.epochs[1].metrics, "val/loss": float("nan")})
    epochs = (cell.epochs[0], broken, *cell.epochs[2:])
    cells = {**study.cells, cell.id: replace(cell, epochs=epochs)}
    series = stage_curves(replace(study, cells=cells), 0)[1].series[1]
    assert series.lines[0].values[1] is None
    assert series.mean.values[1] is None
    assert series.mean.values[2] is not None


def test_every_axis_holds_one_x_per_point_of_every_trace(study: StudyRecord) -> None:
    curves = stage_curves(study, 1)[0]
    figure = curves_figure(curves)
    axes = figure.layout.meta["axes"]
    for name in ("epochs", "images seen", "wall time"):
        lengths = [len(x) for x in axes[name]["x"]]
        assert lengths == [len(trace.y) for trace in figure.data]
    assert [list(trace.x) for trace in figure.data] == axes["epochs"]["x"]
    assert {trace.name for trace in figure.data} >= {"batch size 4", "batch size 8", "seeds"}
    assert axes["images seen"]["x"] != axes["epochs"]["x"]
    assert axes["wall time"]["title"] == f"training time, {time_unit(curves)[1]}"


def test_one_seed_is_one_line(study: StudyRecord) -> None:
    cells = {key: cell for key, cell in study.cells.items() if cell.seed == 0}
    figure = curves_figure(stage_curves(replace(study, cells=cells), 0)[0])
    names = [trace.name for trace in figure.data]
    assert "seeds" not in names
    assert names.count("learning rate 1e-3") == 1


def test_curves_are_per_class_where_each_class_has_its_model(class_study: StudyRecord) -> None:
    curves = stage_curves(class_study, 2)
    assert [(c.group, c.metric) for c in curves] == [
        (group, metric)
        for group in ("car", "stop sign")
        for metric in ("val/iou", "val/loss", "train/loss")
    ]
    assert all(len(series.lines) == 2 for series in curves[0].series)


def test_after_training_stages_have_a_response_instead_of_curves(study: StudyRecord) -> None:
    assert stage_curves(study, 3) == ()
    curve = response(study.stages[3], stage_tables(study)[3])
    assert curve is not None
    (series,) = curve.series
    decision = study.stages[3].decisions[0]
    assert series.x == (0.3, 0.4, 0.5, 0.6)
    assert series.y == pytest.approx([c.mean for c in decision.candidates])
    assert series.winner == 0
    assert [trace.name for trace in response_figure(curve).data] == ["mean", "chosen"]


def test_each_class_has_its_own_response_and_choice(class_study: StudyRecord) -> None:
    curve = response(class_study.stages[3], stage_tables(class_study)[3])
    assert curve is not None
    chosen = {s.label: s.x[s.winner] for s in curve.series if s.winner is not None}
    assert chosen == {"car": 0.4, "stop sign": 0.3}


def test_error_bars_span_the_interval(study: StudyRecord) -> None:
    table = stage_tables(study)[3]
    curve = response(study.stages[3], table)
    assert curve is not None
    bars = response_figure(curve).data[0].error_y
    first = table.rows[0]
    assert first.mean is not None
    assert first.low is not None
    assert first.high is not None
    assert bars.array[0] == pytest.approx(first.high - first.mean)
    assert bars.arrayminus[0] == pytest.approx(first.mean - first.low)


def test_a_response_without_any_score_is_left_out(build: Build) -> None:
    study = build(3)
    assert response(study.stages[3], stage_tables(study)[3]) is None


def test_figure_json_cannot_close_its_script_element(study: StudyRecord) -> None:
    stage = replace(study.stages[0], name="</script><b>")
    (tree,) = tree_layouts(replace(study, stages=(stage, *study.stages[1:])))
    text = json_for_script(figure_spec(tree_figure(tree)))
    assert "<" not in text
    assert json.loads(text)["layout"]["height"] > 0
