"""Settings as dotted paths, with changes, and as fingerprints."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import data_pipeline
import models
from studies.spec.load import LoadedStudy
from studies.spec.schema import CellSettings
from studies.spec.settings import (
    base_settings,
    fingerprint,
    flatten,
    for_class,
    training_fingerprint,
    with_changes,
)

EARLIER = json.loads(Path(__file__).with_name("fingerprints_0_1.json").read_text())
SETTINGS: dict[str, Any] = {
    "data": {"dataset": "coco", "root": "/a", "classes": ["person", "car"]},
    "model": {"name": "unet"},
    "training": {},
    "evaluation": {},
}


@pytest.fixture
def settings() -> CellSettings:
    return CellSettings.model_validate(SETTINGS)


def hash_of(settings: CellSettings, seed: int = 0, data: str = "d") -> str:
    return fingerprint(settings, seed=seed, data=data)


def test_base_settings_are_the_sections_a_stage_may_vary(
    load: Callable[[str], LoadedStudy], study_text: str
) -> None:
    base = base_settings(load(study_text).spec)

    assert base.training.epochs == 2
    assert flatten(base)["model.base_channels"] == 8


def test_flat_settings_are_json_leaves_with_lists_whole(settings: CellSettings) -> None:
    flat = flatten(settings)

    assert flat["data.classes"] == ["person", "car"]
    assert flat["data.root"] == "/a"
    assert flat["training.schedule.name"] == "constant"
    assert "training.schedule" not in flat
    assert {path.split(".")[0] for path in flat} == {"data", "model", "training", "evaluation"}


def test_changes_may_name_a_setting_or_a_whole_part(settings: CellSettings) -> None:
    changed = with_changes(
        settings,
        {
            "training.schedule.factor": 0.5,
            "training.schedule": {"name": "step"},
            "data.image_size": 64,
        },
    )

    assert flatten(changed)["training.schedule.factor"] == 0.5
    assert flatten(changed)["training.schedule.every_epochs"] == 10
    assert changed.data.image_size == 64
    assert settings.data.image_size == 128


def test_flat_settings_rebuild_the_same_settings(settings: CellSettings) -> None:
    changed = with_changes(settings, {"training.optimizer": "sgd", "training.momentum": 0.9})

    assert with_changes(settings, flatten(changed)) == changed


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("training.momentum", 0.9, "momentum has no effect with optimizer 'adam'"),
        ("training.epoch", 3, "Extra inputs are not permitted"),
        ("trainin.epochs", 3, "unknown setting 'trainin.epochs': there is no 'trainin'"),
        ("training.epochs.x", 3, "unknown setting 'training.epochs.x': 'training.epochs' has no"),
    ],
)
def test_changes_that_are_not_valid_are_refused(
    settings: CellSettings, path: str, value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        with_changes(settings, {path: value})


def test_a_fingerprint_is_12_hexadecimal_digits_and_repeatable(settings: CellSettings) -> None:
    again = CellSettings.model_validate(SETTINGS)

    assert hash_of(settings) == hash_of(again)
    assert len(hash_of(settings)) == 12
    assert int(hash_of(settings), 16) >= 0


@pytest.mark.parametrize(
    "changes",
    [
        {"training.learning_rate": 2e-3},
        {"training.epochs": 11},
        {"data.image_size": 64},
        {"data.classes": ["car", "person"]},
        {"data.limit.train": 9},
        {"model.base_channels": 8},
        {"training.schedule": {"name": "cosine"}},
        {"evaluation.threshold": 0.4},
    ],
)
def test_what_can_change_a_result_changes_the_fingerprint(
    settings: CellSettings, changes: dict[str, object]
) -> None:
    assert hash_of(with_changes(settings, changes)) != hash_of(settings)


@pytest.mark.parametrize(
    "changes", [{"data.root": "/b"}, {"data.workers": 3}, {"training.checkpoint_epochs": 5}]
)
def test_what_cannot_change_a_result_does_not(
    settings: CellSettings, changes: dict[str, object]
) -> None:
    assert hash_of(with_changes(settings, changes)) == hash_of(settings)


def test_seed_data_and_code_are_part_of_the_fingerprint(
    settings: CellSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = {hash_of(settings), hash_of(settings, seed=1), hash_of(settings, data="other")}
    monkeypatch.setattr(models, "NUMERICS", -1)
    hashes.add(hash_of(settings))
    monkeypatch.setattr(data_pipeline, "NUMERICS", -1)
    hashes.add(hash_of(settings))

    assert len(hashes) == 5


def test_numbers_of_equal_value_give_the_same_fingerprint() -> None:
    def noop(value: float) -> CellSettings:
        model = {"name": "noop", "epoch_seconds": value}
        return CellSettings.model_validate({**SETTINGS, "model": model})

    assert hash_of(noop(1)) == hash_of(noop(1.0))
    assert hash_of(noop(1e-4)) == hash_of(noop(0.0001))
    assert hash_of(noop(1)) != hash_of(noop(2))


def test_a_class_of_many_is_the_cell_of_a_study_of_that_class_alone(
    settings: CellSettings,
) -> None:
    study = with_changes(settings, {"data.one_model_per_class": True})
    alone = with_changes(settings, {"data.classes": ["car"]})

    assert for_class(study, "car").data.classes == ["car"]
    assert hash_of(for_class(study, "car")) == hash_of(alone)
    assert hash_of(for_class(study, "person")) != hash_of(alone)


def test_the_training_fingerprint_knows_nothing_of_evaluation(settings: CellSettings) -> None:
    scored = with_changes(settings, {"evaluation.threshold": 0.4})
    trained = with_changes(settings, {"training.epochs": 4})

    def trained_hash(one: CellSettings) -> str:
        return training_fingerprint(one, seed=0, data="d")

    assert trained_hash(scored) == trained_hash(settings)
    assert trained_hash(trained) != trained_hash(settings)
    assert trained_hash(settings) != hash_of(settings)


@pytest.mark.parametrize(
    "cell", EARLIER["cells"], ids=lambda cell: cell["settings"]["model"]["name"]
)
def test_cells_of_an_earlier_release_keep_their_fingerprints(
    cell: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "NUMERICS", EARLIER["numerics"][0])
    monkeypatch.setattr(data_pipeline, "NUMERICS", EARLIER["numerics"][1])
    settings = CellSettings.model_validate(cell["settings"])
    assert hash_of(settings, data="d") == cell["fingerprint"], "a new setting must say `since`"
