"""A fold without samples is told before a trial starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.catalog import prepare_data
from data_pipeline.datasets import street_scenes
from data_pipeline.errors import MissingDataError
from data_pipeline.splitting import splits
from studies.running.fold_preflight import check_folds
from studies.spec.schema import StudySpec

STAGE = {"stage": "rate", "vary": {"training.learning_rate": [1e-2, 1e-3]}}
MakeSpec = Callable[..., StudySpec]


@pytest.fixture
def scenes(tmp_path: Path) -> dict[str, Any]:
    return {
        "dataset": "street_scenes",
        "images": 12,
        "picture_width": 64,
        "picture_height": 64,
        "image_size": 32,
        "drawn_in": str(tmp_path),
    }


def prepared(make_spec: MakeSpec, scenes: dict[str, Any], **changes: object) -> StudySpec:
    spec = make_spec(STAGE, data=scenes | changes)
    prepare_data(spec.data)
    return spec


def test_folds_with_samples_are_in_order(make_spec: MakeSpec, scenes: dict[str, Any]) -> None:
    assert check_folds(prepared(make_spec, scenes, folds=5)) == []


def test_data_are_listed_and_cut_once_for_all_folds(
    make_spec: MakeSpec, scenes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = prepared(make_spec, scenes, folds=5)
    listed: list[object] = []
    cut: list[object] = []
    for noted, module, name in (
        (listed, street_scenes, "build"),
        (cut, splits, "shared_out"),
    ):
        function = getattr(module, name)
        monkeypatch.setattr(
            module,
            name,
            lambda *args, noted=noted, function=function, **kwargs: (
                noted.append(args) or function(*args, **kwargs)
            ),
        )
    check_folds(spec)
    assert len(listed) == 2  # training and validation
    assert len(cut) == 1


def test_copies_of_all_folds_that_exceed_the_cache_are_warned_of(
    make_spec: MakeSpec, scenes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = prepared(make_spec, scenes, folds=5)
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", "0.0001")
    (warning,) = check_folds(spec)  # about ten images, of 3 kB each, five times
    assert "each of 5 folds keeps decoded images of its own, together at least 0.000" in warning
    assert "the cache may hold 0.0001 GB" in warning
    assert "raise VISIONSTUDY_CACHE_GB, or lower data.folds" in warning


def test_what_is_not_kept_exceeds_no_cache(
    make_spec: MakeSpec, scenes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", "0.0001")
    assert check_folds(prepared(make_spec, scenes, folds=5, cache="off")) == []


def test_more_folds_than_images_are_refused(make_spec: MakeSpec, scenes: dict[str, Any]) -> None:
    spec = prepared(make_spec, scenes, folds=12)
    with pytest.raises(MissingDataError, match=r"there are none in split 'val' of fold \d+") as e:
        check_folds(spec)
    assert "lower data.folds" in str(e.value)


def test_every_class_needs_something_to_validate_its_own_network_on(
    make_spec: MakeSpec, scenes: dict[str, Any]
) -> None:
    own = {"classes": ["car", "bus"], "one_model_per_class": True}
    spec = prepared(make_spec, scenes, folds=5, **own)
    with pytest.raises(MissingDataError, match="must hold images of 'bus' to train"):
        check_folds(spec)


def test_a_recording_is_not_cut_to_fill_a_fold(make_spec: MakeSpec, real_data: Path) -> None:
    data = {"dataset": "camvid", "root": str(real_data / "camvid_mini"), "image_size": 32}
    whole = {**data, "split": {"policy": "grouped"}, "folds": 20}
    with pytest.raises(MissingDataError, match="too few groups, which stay whole"):
        check_folds(make_spec(STAGE, data=whole))


def test_what_a_stage_makes_of_the_cut_is_looked_at_too(
    make_spec: MakeSpec, real_data: Path
) -> None:
    data = {"dataset": "camvid", "root": str(real_data / "camvid_mini"), "image_size": 32}
    policies = {"stage": "cut", "vary": {"data.split.policy": ["random", "grouped"]}}
    spec = make_spec(policies, data={**data, "split": {"policy": "random"}, "folds": 3})
    with pytest.raises(MissingDataError, match="split 'grouped'"):
        check_folds(spec)


def test_a_study_without_data_has_no_fold_to_look_at(make_spec: MakeSpec) -> None:
    check_folds(make_spec(STAGE, data={"dataset": "none", "folds": 50}))
