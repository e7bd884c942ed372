"""Warnings of splits that flatter a study."""

import pytest

from data_pipeline.datasets.settings.boxes import CocoData
from data_pipeline.datasets.settings.pictures import CamVidData, IsbiData
from data_pipeline.datasets.settings.videos import HMDB51Data, UCF101Data
from data_pipeline.settings import RootedData
from data_pipeline.splitting.split_warnings import split_warnings


def with_policy(kind: type[RootedData], policy: str) -> RootedData:
    return kind.model_validate({"root": "anywhere", "split": {"policy": policy}})


@pytest.mark.parametrize("kind", [UCF101Data, HMDB51Data])
@pytest.mark.parametrize("policy", ["random", "stratified"])
def test_videos_cut_at_random_are_warned_of_with_the_thesis_numbers(
    kind: type[RootedData], policy: str
) -> None:
    [warning] = split_warnings(with_policy(kind, policy))
    assert warning.startswith(f"data.split.policy '{policy}' is leaky: it puts clips of one")
    assert "near-duplicates" in warning
    assert "0.85 top-1 split at random, and 0.54 with groups kept whole" in warning
    assert warning.endswith("choose data.split.policy: grouped, or given")


@pytest.mark.parametrize(
    ("kind", "parts"),
    [(CamVidData, "frames of one drive"), (IsbiData, "neighbouring slices of one stack")],
)
def test_pictures_of_one_group_cut_at_random_are_warned_of(
    kind: type[RootedData], parts: str
) -> None:
    [warning] = split_warnings(with_policy(kind, "random"))
    assert f"puts {parts}" in warning


@pytest.mark.parametrize(
    ("kind", "policy"),
    [(UCF101Data, "given"), (UCF101Data, "grouped"), (CamVidData, "given"), (CocoData, "random")],
)
def test_sound_splits_are_not_warned_of(kind: type[RootedData], policy: str) -> None:
    assert split_warnings(with_policy(kind, policy)) == []


@pytest.mark.parametrize("kind", [UCF101Data, CamVidData])
@pytest.mark.parametrize("policy", ["random", "stratified"])
def test_folds_keep_groups_whole_and_the_test_share_does_not(
    kind: type[RootedData], policy: str
) -> None:
    split = {"policy": policy, "folds": 5}
    [warning] = split_warnings(kind.model_validate({"root": "anywhere", "split": split}))
    assert warning.startswith(f"data.split.policy '{policy}' is leaky for the test split: ")
    assert "validation, by data.split.folds, keeps groups whole" in warning
