"""Folds of cross validation: every image validates once, and no fold shares one, or a group."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from data_pipeline.datasets.dataset import Listed
from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.datasets.settings.pictures import ImageFolderData
from data_pipeline.datasets.settings.videos import UCF101Data
from data_pipeline.datasets.ucf101 import official_clips
from data_pipeline.faults import Fault
from data_pipeline.settings import DataSettings, Limit, Split
from data_pipeline.source import open_data
from data_pipeline.splitting.splits import cut

FOLDS = 5


@dataclass(frozen=True)
class Named:
    """An item that is only listed."""

    image_id: str
    group: str
    classes: tuple[str, ...]
    files: tuple[Path, ...] = ()

    def faults(self) -> tuple[Fault, ...]:
        return ()


@st.composite
def datasets(draw: st.DrawFn) -> list[Named]:
    """Draw images of a few classes in groups of all sizes."""
    groups = draw(st.lists(st.integers(1, 6), min_size=8, max_size=30))
    labels = st.lists(st.sampled_from(["ant", "bee", "cow"]), max_size=2, unique=True)
    return [
        Named(f"{group}-{number}", f"group {group}", tuple(draw(labels)))
        for group, size in enumerate(groups)
        for number in range(size)
    ]


def of_fold(split: Split, fold: int) -> Split:
    return split.model_copy(update={"fold": fold})


@given(
    items=datasets(),
    folds=st.integers(2, 6),
    policy=st.sampled_from(["grouped", "random", "stratified"]),
    seed=st.integers(0, 9),
)
@settings(max_examples=100, deadline=None)
def test_folds_of_any_dataset_share_nothing_and_leave_nothing_out(
    items: list[Named], folds: int, policy: str, seed: int
) -> None:
    split = Split.model_validate({"policy": policy, "folds": folds, "seed": seed})
    cuts = [cut(items, of_fold(split, fold)) for fold in range(folds)]
    assert len({each["test"] for each in cuts}) == 1  # held out of every fold
    validated = [image_id for each in cuts for image_id in each["val"]]
    groups = {item.image_id: item.group for item in items}
    assert sorted(validated) == sorted(groups.keys() - cuts[0]["test"])
    for each in cuts:
        assert each["train"] | each["val"] | each["test"] == groups.keys()
        assert not {groups[i] for i in each["train"]} & {groups[i] for i in each["val"]}
        if policy == "grouped":
            used = {groups[i] for i in each["train"] | each["val"]}
            assert not used & {groups[i] for i in each["test"]}


def items_of(data: DataSettings, task: str) -> list[dict[str, Sequence[Listed]]]:
    """List each fold's training, validation and test samples as a trial opens them."""
    opened: list[dict[str, Sequence[Listed]]] = []
    for fold in range(data.folds or 1):
        split = of_fold(data.split, fold)
        own = data.model_copy(update={"folds": None, "split": split})
        source = open_data(own, task, seed=0, examines=False)
        opened.append(
            {
                "train": source.dataset("train").items,
                "val": source.dataset("val").items,
                "test": source.dataset("test").items,
            }
        )
    return opened


def names(items: Sequence[Listed]) -> set[str]:
    return {item.image_id for item in items}


def groups(items: Sequence[Listed]) -> set[str]:
    return {item.group for item in items}


def assert_no_leak(opened: list[dict[str, Sequence[Listed]]]) -> None:
    for one, other in combinations(opened, 2):
        assert not groups(one["val"]) & groups(other["val"])
        assert names(one["test"]) == names(other["test"])
    everything = set().union(*(names(each["val"]) for each in opened))
    for each in opened:
        assert each["train"]
        assert each["val"]
        assert not groups(each["train"]) & groups(each["val"])
        assert not names(each["test"]) & everything
        assert names(each["train"]) == everything - names(each["val"])


@pytest.mark.parametrize("policy", ["given", "grouped"])
def test_ants_and_bees_are_cut_without_a_leak(real_data: Path, policy: str) -> None:
    data = ImageFolderData.model_validate(
        {"root": real_data / "hymenoptera_mini", "folds": FOLDS, "split": {"policy": policy}}
    )
    assert_no_leak(items_of(data, "image_classification"))


def test_clips_of_one_recording_stay_in_one_fold(real_data: Path) -> None:
    clips = official_clips(UCF101Data(root=real_data / "ucf101_mini"))
    recording = {clip.image_id: clip.group for clip in clips}
    assert len(set(recording.values())) < len(recording)  # they do have several clips
    split = Split(policy="grouped", folds=3)
    cuts = [cut(clips, of_fold(split, fold)) for fold in range(3)]
    parts = [cuts[0]["test"], *(each["val"] for each in cuts)]
    for one, other in combinations(parts, 2):
        assert not {recording[i] for i in one} & {recording[i] for i in other}
    assert sum(map(len, parts)) == len(clips)


def test_generated_scenes_are_cut_into_folds_too(tmp_path: Path) -> None:
    data = StreetScenesData(images=20, folds=3, drawn_in=tmp_path)
    assert_no_leak(items_of(data, "semantic_segmentation"))


def test_folds_are_what_a_study_of_one_fold_names() -> None:
    data = ImageFolderData(root=Path("data"), folds=FOLDS, limit=Limit(train=10))
    assert (data.split.folds, data.split.fold) == (FOLDS, 0)
    assert type(data).model_validate(data.model_dump()) == data


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"folds": 4}, "split.folds: 4 for one cut into other folds; remove split.folds"),
        ({"fold": 2}, "split.fold: 2 for one of them; remove one of the two"),
        ({"folds": 5, "fold": 2}, "split.fold: 2 for one of them; remove one of the two"),
        ({"val": 0.3}, "split.val: 0.3 has no effect with folds: 5"),
    ],
)
def test_a_cell_per_fold_and_one_fold_contradict_each_other(
    split: dict[str, float], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        ImageFolderData.model_validate({"root": "data", "folds": 5, "split": split})


def test_a_count_that_is_no_count_is_told_once() -> None:
    with pytest.raises(ValidationError) as caught:
        ImageFolderData.model_validate({"root": "data", "folds": 1})
    assert [error["loc"] for error in caught.value.errors()] == [("folds",)]
