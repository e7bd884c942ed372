"""What is published of the networks, against torchvision's metadata and the catalog."""

import pytest
from torchvision import models  # type: ignore[import-untyped]

from models.classification.catalog import CLASSIFIERS
from models.classification.published import PUBLISHED, Published, published_of
from models.settings import ModelSettings

OF_WEIGHTS = [each for each in PUBLISHED if each.by == "weights"]


def settings_of(published: Published) -> ModelSettings:
    return CLASSIFIERS[published.model].settings.model_validate(
        {"name": published.model, **published.settings}
    )


def name_of(published: Published) -> str:
    """Return torchvision's name of the network."""
    values = published.settings
    norm = "_bn" if values.get("batch_norm") else ""
    versions = {"vgg": f"{values.get('depth')}{norm}", "resnet": f"{values.get('depth')}"}
    rest = f"_{values['version']}" if "version" in values else ""
    return published.model + versions.get(published.model, rest)


@pytest.mark.parametrize("published", OF_WEIGHTS, ids=lambda each: each.label)
def test_accuracy_is_what_torchvision_says_of_its_weights(published: Published) -> None:
    weights = models.get_model_weights(name_of(published)).IMAGENET1K_V1
    scores = weights.meta["_metrics"]["ImageNet-1K"]
    assert published.top1 == pytest.approx(scores["acc@1"] / 100)
    assert published.top5 == pytest.approx(scores["acc@5"] / 100)
    assert [published.image_size] == weights.transforms().crop_size


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda each: each.label)
def test_network_is_in_the_catalog_and_takes_pictures_of_that_size(published: Published) -> None:
    settings = settings_of(published)
    assert published_of(settings) == published
    assert CLASSIFIERS[published.model].size_rule(settings, published.image_size) is None


def test_a_narrower_network_is_another_one() -> None:
    settings = CLASSIFIERS["mobilenet_v2"].settings.model_validate(
        {"name": "mobilenet_v2", "width": 0.5}
    )
    assert published_of(settings) is None


def test_labels_tell_variants_apart() -> None:
    labels = [each.label for each in PUBLISHED]
    assert len(set(labels)) == len(labels)
    assert {"vgg 16", "vgg 16 batch_norm", "efficientnet b7", "zfnet"} <= set(labels)
