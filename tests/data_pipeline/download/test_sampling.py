"""Images per class: nested, in one split for good, as many as asked for."""

import pytest

from data_pipeline.download.sampling import Smallest, SplitSample, split_of

IDS = [f"{number:016x}" for number in range(500)]


def sample(per_class: int, train_share: float = 0.8, seed: int = 0) -> dict[str, str]:
    """Choose among 500 images of which every second has a bus and every third a car."""
    choice = SplitSample(["Bus", "Car"], per_class, train_share=train_share, seed=seed)
    for number, image_id in enumerate(IDS):
        for name, every in (("Bus", 2), ("Car", 3)):
            if number % every == 0:
                choice.offer(name, image_id)
                choice.offer(name, image_id)  # a second box of the class
    return dict(choice.chosen())


def test_the_smallest_are_those_of_a_full_sort() -> None:
    every, few = Smallest(500, seed=1), Smallest(20, seed=1)
    for image_id in IDS + IDS:
        every.offer(image_id)
        few.offer(image_id)
    assert len(every.first(500)) == 500
    assert few.first(20) == every.first(20)
    assert few.first(7) == every.first(7)


def test_each_class_has_as_many_images_as_asked_for_in_the_asked_shares() -> None:
    choice = SplitSample(["Bus"], 50, train_share=0.8, seed=0)
    for image_id in IDS:
        choice.offer("Bus", image_id)
    splits = list(choice.chosen().values())
    assert (splits.count("train"), splits.count("validation")) == (40, 10)


def test_a_larger_number_holds_the_images_of_a_smaller_one_in_the_same_splits() -> None:
    small, large = sample(20), sample(60)
    assert len(large) > len(small)
    assert small.items() <= large.items()


def test_the_order_of_the_lists_does_not_matter_and_the_seed_does() -> None:
    assert sample(20) == sample(20)
    assert sample(20, seed=1) != sample(20)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.8, 1.0])
def test_images_fall_into_splits_by_the_share(share: float) -> None:
    splits = [split_of(image_id, train_share=share, seed=0) for image_id in IDS]
    assert splits.count("train") / len(IDS) == pytest.approx(share, abs=0.06)


def test_a_rare_class_gives_all_it_has() -> None:
    choice = SplitSample(["Bus"], 50, train_share=0.8, seed=0)
    for image_id in IDS[:30]:
        choice.offer("Bus", image_id)
    assert sorted(choice.chosen()) == IDS[:30]


def test_where_one_split_has_too_few_the_other_gives_more() -> None:
    choice = SplitSample(["Bus"], 20, train_share=0.8, seed=0)
    only_train = [i for i in IDS if split_of(i, train_share=0.8, seed=0) == "train"]
    for image_id in only_train:
        choice.offer("Bus", image_id)
    assert list(choice.chosen().values()) == ["train"] * 20
