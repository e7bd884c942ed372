"""Which networks are compared, by what they are called, and at which size."""

import pytest

from models.catalog import MODELS
from models.classification.published import published_of
from studies.networks.candidates import (
    UnknownNetworkError,
    all_candidates,
    families,
    named_candidates,
    own_size,
    usual_candidates,
    variants,
)

PICTURES = "image_classification"


def labels(*wishes: str) -> list[str]:
    return [each.label for each in named_candidates(PICTURES, wishes)]


def test_families_are_the_networks_of_a_task_and_no_reference() -> None:
    assert "resnet" in families(PICTURES)
    assert "constant" not in families(PICTURES)  # has no network
    assert "unet" not in families(PICTURES)


def test_a_family_has_a_variant_for_each_value_that_makes_another_network() -> None:
    assert [each.label for each in variants("resnet")] == [
        "resnet 18",
        "resnet 34",
        "resnet 50",
        "resnet 101",
        "resnet 152",
    ]
    assert [each.settings.depth for each in variants("resnet")] == [18, 34, 50, 101, 152]  # type: ignore[attr-defined]


def test_values_of_yes_and_no_are_named_where_they_are_yes() -> None:
    assert [each.label for each in variants("unet")] == ["unet", "unet batch norm"]


def test_the_usual_variant_stands_between_the_first_and_the_last() -> None:
    usual = usual_candidates(PICTURES)
    assert [each.label for each in usual if each.settings.name == "resnet"] == [
        "resnet 18",
        "resnet 50",
        "resnet 152",
    ]


def test_where_the_usual_variant_is_the_first_one_of_the_middle_is_there_too() -> None:
    usual = usual_candidates("semantic_segmentation")
    labels = [each.label for each in usual if each.settings.name == "deeplabv3"]
    assert labels == [
        "deeplabv3 resnet50",
        "deeplabv3 resnet101",
        "deeplabv3 mobilenet_v3_large",
    ]


def test_every_usual_variant_is_among_all_and_every_family_among_the_usual() -> None:
    every = {each.label for each in all_candidates(PICTURES)}
    usual = usual_candidates(PICTURES)
    assert {each.label for each in usual} <= every
    assert {each.settings.name for each in usual} == set(families(PICTURES))


def test_labels_tell_all_variants_apart() -> None:
    every = [each.label for each in all_candidates(PICTURES)]
    assert len(set(every)) == len(every)


def test_a_name_means_all_its_variants_and_a_setting_some_of_them() -> None:
    assert len(labels("resnet")) == 5
    assert labels("resnet:depth=50", "resnet:depth=18") == ["resnet 50", "resnet 18"]
    assert labels("resnet:depth=50", "resnet:depth=50") == ["resnet 50"]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("resnett", "unknown model 'resnett'; did you mean 'resnet'?"),
        ("unet", "unknown model 'unet'"),  # of another task
        ("resnet:depth=51", "(depth=18, depth=34, depth=50, depth=101, depth=152)"),
        ("resnet:dropout=0.5", "'dropout=0.5' must choose among the variants of resnet"),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(wish: str, message: str) -> None:
    with pytest.raises(UnknownNetworkError) as caught:
        named_candidates(PICTURES, [wish])
    assert message in str(caught.value)


def test_a_network_is_measured_at_the_size_that_it_is_published_for() -> None:
    for each in all_candidates(PICTURES):
        published = published_of(each.settings)
        if published is not None:
            assert own_size(each) == published.image_size, each.label


def test_without_a_published_size_it_is_the_nearest_to_224_that_it_takes() -> None:
    (ssd,) = named_candidates("object_detection", ["ssd300"])
    (fcn,) = named_candidates("semantic_segmentation", ["fcn_vgg16"])
    rule = MODELS["ssd300"].size_rule
    assert rule(ssd.settings, own_size(ssd)) is None
    assert all(rule(ssd.settings, side) for side in range(224, own_size(ssd)))
    assert own_size(fcn) == 224


def test_a_network_of_small_pictures_is_measured_with_small_ones() -> None:
    (cifar,) = named_candidates(PICTURES, ["resnet_cifar:depth=20"])
    assert own_size(cifar) == 32
