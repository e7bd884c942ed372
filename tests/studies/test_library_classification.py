"""The studies of classification ask what papers and the thesis print, with their conditions."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from models.catalog import MODELS
from models.cost import count_parameters
from models.resolve import resolve
from models.schedule_settings import MultiStepSchedule
from reports.baselines import load
from studies.spec.load import load_study
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings, flatten, with_changes

LIBRARY = Path(__file__).parents[2] / "studies" / "library"
NOWHERE = dict.fromkeys(
    ("MNIST_ROOT", "CIFAR_ROOT", "UCF101_ROOT", "HYMENOPTERA_ROOT"), "/nowhere"
)
STUDIES = [
    "papers/lenet_mnist",
    "papers/resnet_cifar10",
    "thesis/hidden_units",
    "thesis/input_size",
    "small/transfer_ants_bees",
    "small/digits",
]


def study(name: str) -> StudySpec:
    return load_study(LIBRARY / f"{name}.yaml", environ=NOWHERE, check_data=False).spec


def cells_of(spec: StudySpec, stage: str) -> list[CellSettings]:
    """Return what a stage tries on the base settings."""
    found = next(each for each in spec.search.tree if each.stage == stage)
    lists: list[list[Any]] = [list(values) for values in found.vary.values()]
    rows = zip(*lists, strict=True) if found.together else product(*lists)
    base = with_changes(base_settings(spec), dict(found.with_))
    return [with_changes(base, dict(zip(found.vary, row, strict=True))) for row in rows]


def parameters(cell: CellSettings, classes: int) -> int:
    with torch.device("meta"):
        network = resolve(str(MODELS[cell.model.name].builder))(cell.model, classes)
    return count_parameters(network)


@pytest.mark.parametrize("name", STUDIES)
def test_every_network_of_a_stage_takes_its_pictures(name: str) -> None:
    spec = study(name)
    for stage in spec.search.tree:
        for cell in cells_of(spec, stage.stage):
            assert MODELS[cell.model.name].size_rule(cell.model, cell.data.image_size) is None


def test_input_sizes_are_the_rows_of_table_1_with_their_weights() -> None:
    cells = cells_of(study("thesis/input_size"), "input size")
    printed = {
        b.protocol.image_size: b.value
        for b in load(["thesis/table-1"])
        if b.protocol.metric == "parameters_m"
    }
    ours = {cell.data.image_size: parameters(cell, 101) / 1e6 for cell in cells}
    assert [flatten(cell)["data.clip.shorter_side"] for cell in cells] == [64, 128, 256]
    assert list(ours.values()) == [11.153509, 17.444965, 34.746469]
    # Printed a little higher than rounding says: 11.1 for 11.15, 17.5 for 17.44, 34.8 for 34.75.
    assert ours == {size: pytest.approx(value, abs=0.06) for size, value in printed.items()}


def test_figure_5_1_has_three_convolutions_and_64_or_128_units() -> None:
    cells = cells_of(study("thesis/hidden_units"), "hidden units")
    for cell, units in zip(cells, (64, 128), strict=True):
        with torch.device("meta"):
            network = resolve(str(MODELS["small_cnn"].builder))(cell.model, 10)
        convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
        linear = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
        assert len(convolutions) == 3
        assert [layer.out_features for layer in linear] == [units, 10]


def test_resnets_of_cifar_train_for_as_many_steps_as_in_their_paper() -> None:
    base = base_settings(study("papers/resnet_cifar10"))
    training, schedule = base.training, base.training.schedule
    steps = -(-45_000 // training.batch_size)  # of an epoch
    assert training.epochs * steps == pytest.approx(64_000, rel=0.005)
    assert isinstance(schedule, MultiStepSchedule)
    assert [epoch * steps for epoch in schedule.after_epochs] == pytest.approx(
        [32_000, 48_000], rel=0.005
    )


def test_resnets_of_cifar_are_those_of_table_6() -> None:
    cells = cells_of(study("papers/resnet_cifar10"), "depth")
    printed = [b.parameters_m for b in load(["resnet-2016"]) if b.protocol.dataset == "cifar10"]
    ours = [parameters(cell, 10) / 1e6 for cell in cells]
    assert ours == pytest.approx(printed, rel=0.02)


def test_lenet_is_compared_in_both_its_forms_at_rates_that_each_of_them_wants() -> None:
    rates: dict[int, list[float]] = {}
    for cell in cells_of(study("papers/lenet_mnist"), "form"):
        rates.setdefault(parameters(cell, 10), []).append(cell.training.learning_rate)
    assert rates == {weights: [1e-3, 3e-3, 1e-2, 3e-2] for weights in (61_706, 60_000)}


def test_digits_search_at_least_eight_settings_on_five_folds() -> None:
    spec = study("small/digits")
    assert spec.data.folds == 5
    assert spec.search.joint is not None
    assert spec.search.joint.warm_start is not None
    assert len(spec.search.joint.space) >= 8
    (first,) = spec.search.joint.warm_start.values
    assert set(spec.search.joint.space) <= set(first)


def test_ants_and_bees_are_learned_from_scratch_from_features_and_by_fine_tuning() -> None:
    cells = cells_of(study("small/transfer_ants_bees"), "start")
    modes = [cell.training.transfer and cell.training.transfer.mode for cell in cells]
    assert [flatten(cell)["model.pretrained"] for cell in cells] == [
        "none",
        "imagenet",
        "imagenet",
    ]
    assert modes == [None, "feature_extractor", "fine_tuning"]
