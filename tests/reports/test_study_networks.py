"""Choosing the network: what the networks of a study take, and reached here and elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from reports.network_section import network_section
from reports.page import render
from reports.tables.study_networks import study_networks
from trackers.records import (
    ConfigurationRecord,
    JsonValue,
    Outcome,
    StageRecord,
    StudyRecord,
    TrialRecord,
)

# Stage 1 varies the network, stage 2 the learning rate of the winner.
NETWORKS: dict[str, tuple[dict[str, JsonValue], float, float, float]] = {
    # label: settings, parameters, MACs, top-1 of two seeds' mean
    "resnet, depth 18": ({"model.name": "resnet", "model.depth": 18}, 11e6, 1.8e9, 0.80),
    "resnet, depth 50": ({"model.name": "resnet", "model.depth": 50}, 25e6, 4.1e9, 0.90),
    "xception": ({"model.name": "xception", "model.dropout": 0.5}, 22e6, 8.4e9, 0.85),
}


def measured(
    study: StudyRecord, settings: dict[str, JsonValue], *, key: str, **facts: Any
) -> dict[str, Any]:
    """Two complete cells with what their trainings read back."""
    top1, cells = facts.pop("top1"), {}
    for seed, off in enumerate((-0.01, 0.01)):
        name = f"{key}/{seed}"
        made = next(iter(study.cells.values()))
        trials: tuple[TrialRecord, ...] = (replace(made.trials[0], cell=name, effective=facts),)
        cells[name] = replace(
            made,
            id=name,
            seed=seed,
            settings={**made.settings, **settings},
            metrics={"val/top1": top1 + off, "val/loss": 1.0},
            trials=trials,
            train_macs=100 * facts["macs_per_image"],
        )
    return cells


@pytest.fixture
def classified(build: Callable[[int], StudyRecord]) -> StudyRecord:
    """A study of three networks, and of two learning rates of one of them."""
    base = build(4)
    cells: dict[str, Any] = {}
    stages = []
    choices = []
    for label, (settings, parameters, macs, top1) in NETWORKS.items():
        facts = {"parameters": parameters, "macs_per_image": macs, "latency_ms": macs / 1e8}
        found = measured(base, settings, key=label, device="cpu", top1=top1, **facts)
        cells |= found
        varied = {path: v for path, v in settings.items() if path != "model.dropout"}
        choices.append(ConfigurationRecord(label, None, varied, "", tuple(found)))
    stages.append(StageRecord("network", False, {}, {}, {}, tuple(choices), (), 6))
    settings, parameters, macs, _ = NETWORKS["resnet, depth 18"]
    facts = {"parameters": parameters, "macs_per_image": macs, "latency_ms": 20.0}
    found = measured(
        base,
        {**settings, "training.learning_rate": 0.1},
        key="rate",
        device="cpu",
        top1=0.82,
        **facts,
    )
    cells |= found
    rate = ConfigurationRecord(
        "rate", "resnet, depth 18", {"training.learning_rate": 0.1}, "", tuple(found)
    )
    stages.append(StageRecord("rate", False, {}, {}, {}, (rate,), (), 2))
    return replace(
        base,
        task="image_classification",
        metric="val/top1",
        stages=tuple(stages),
        cells=cells,
        test_scores=(),
        baselines=(),
    )


def test_every_network_is_a_row_with_its_best_configuration(classified: StudyRecord) -> None:
    networks = study_networks(classified)

    assert networks is not None
    assert [row.label for row in networks.rows] == [
        "resnet, depth 18",
        "xception",
        "resnet, depth 50",
    ]
    small = networks.rows[0]
    assert (small.tried, small.cells, small.configuration) == (2, 2, "learning rate 0.1")
    assert small.top1 == pytest.approx(0.82)
    assert small.latency_ms == 20
    assert small.train_macs == pytest.approx(1.8e11)
    assert networks.rows[1].configuration == ""
    assert networks.device == "the CPU"


def test_one_network_at_two_sizes_says_them(classified: StudyRecord) -> None:
    stage = classified.stages[1]
    facts = {"parameters": 11e6, "macs_per_image": 0.9e9, "top1": 0.7, "device": "cpu"}
    settings: dict[str, JsonValue] = {
        "model.name": "resnet",
        "model.depth": 18,
        "data.image_size": 128,
    }
    found = measured(classified, settings, key="size", **facts)
    smaller = ConfigurationRecord(
        "size", "resnet, depth 18", {"data.image_size": 128}, "", tuple(found)
    )
    study = replace(
        classified,
        stages=(*classified.stages, replace(stage, name="size", configurations=(smaller,))),
        cells={**classified.cells, **found},
    )

    networks = study_networks(study)

    assert networks is not None
    labels = [row.label for row in networks.rows if row.label.startswith("resnet")]
    assert len(set(labels)) == 3
    small = next(row for row in networks.rows if row.macs == 0.9e9)
    assert small.label == "resnet, image size 128, depth 18"
    assert small.configuration == ""


def test_parameters_are_those_that_predict(classified: StudyRecord) -> None:
    cells = dict(classified.cells)
    for name in ("xception/0", "xception/1"):
        trial = cells[name].trials[0]
        effective = {**trial.effective, "predicting_parameters": 6_624_904}
        cells[name] = replace(cells[name], trials=(replace(trial, effective=effective),))

    networks = study_networks(replace(classified, cells=cells))

    assert networks is not None
    assert [row.parameters for row in networks.rows] == [6_624_904, 11_000_000, 25_000_000]


def test_a_reference_is_no_network(classified: StudyRecord) -> None:
    cells = {
        name: replace(
            cell,
            trials=(
                replace(
                    cell.trials[0],
                    effective={**cell.trials[0].effective, "parameters": 0, "macs_per_image": 0.0},
                ),
            ),
        )
        if name.startswith("xception")
        else cell
        for name, cell in classified.cells.items()
    }
    networks = study_networks(replace(classified, cells=cells))

    assert networks is not None
    assert [row.label for row in networks.rows] == ["resnet, depth 18", "resnet, depth 50"]


def test_weights_that_were_only_scored_cost_no_training(classified: StudyRecord) -> None:
    cells = {
        name: replace(cell, train_macs=0.0) if name.startswith("xception") else cell
        for name, cell in classified.cells.items()
    }
    section = network_section(replace(classified, cells=cells))

    assert section is not None
    assert [each.id for each in section.figures] == [
        "choosing-ms-per-picture",
        "choosing-gmac-per-picture",
    ]


def test_the_best_of_a_network_has_every_seed_where_one_has(classified: StudyRecord) -> None:
    cells = dict(classified.cells)
    cells["rate/0"] = replace(cells["rate/0"], outcome=Outcome.INFEASIBLE, metrics={})
    networks = study_networks(replace(classified, cells=cells))

    assert networks is not None
    assert (networks.rows[0].configuration, networks.rows[0].cells) == ("", 2)


def test_what_is_published_stands_beside_what_was_measured(classified: StudyRecord) -> None:
    networks = study_networks(classified)

    assert networks is not None
    published = {row.label: row.published and row.published.top1 for row in networks.rows}
    assert published == {"resnet, depth 18": 0.69758, "xception": 0.79, "resnet, depth 50": 0.7613}


@pytest.mark.parametrize("device", ["", "cuda:0 NVIDIA H200"])
def test_times_of_several_devices_are_no_column(classified: StudyRecord, device: str) -> None:
    cells = dict(classified.cells)
    cell = cells["xception/0"]
    elsewhere = replace(cell.trials[0], effective={**cell.trials[0].effective, "device": device})
    cells["xception/0"] = replace(cell, trials=(elsewhere,))

    networks = study_networks(replace(classified, cells=cells))

    assert networks is not None
    assert networks.device == ""
    assert {row.latency_ms for row in networks.rows} == {None}


def test_two_gpus_of_a_kind_are_one_device(classified: StudyRecord) -> None:
    cells = {
        name: replace(
            cell,
            trials=(
                replace(
                    cell.trials[0],
                    effective={**cell.trials[0].effective, "device": f"cuda:{index % 2} NVIDIA A"},
                ),
            ),
        )
        for index, (name, cell) in enumerate(classified.cells.items())
    }

    networks = study_networks(replace(classified, cells=cells))

    assert networks is not None
    assert networks.device == "NVIDIA A"


def test_one_network_is_no_choice(classified: StudyRecord) -> None:
    only = replace(classified.stages[0], configurations=classified.stages[0].configurations[:1])
    assert study_networks(replace(classified, stages=(only,))) is None


def test_studies_of_other_tasks_have_no_such_section(classified: StudyRecord) -> None:
    assert study_networks(replace(classified, task="semantic_segmentation")) is None


def test_the_figures_hold_top_1_against_each_cost(classified: StudyRecord) -> None:
    section = network_section(classified)

    assert section is not None
    assert [figure.title for figure in section.figures] == [
        "Validation top-1 against ms per picture",
        "Validation top-1 against GMAC per picture",
        "Validation top-1 against training TMAC per cell",
    ]
    # xception is dearer than resnet 50 and scores less
    assert (
        "2 of 3 networks cannot be beaten in validation top-1 and GMAC per picture at once: "
        in (section.figures[1].summary)
    )


def test_the_page_has_the_section(classified: StudyRecord) -> None:
    page = render(classified)
    assert '<a href="#networks">Networks</a>' in page
    assert "Choosing the network" in page
    assert "Choosing the network" not in render(replace(classified, task="semantic_segmentation"))
