"""The table's counts are those of the papers and of the libraries."""

import pytest
import torch

from models.classification.published import PUBLISHED
from models.network_costs import count_network
from models.resolve import resolve
from studies.networks.candidates import (
    Candidate,
    all_candidates,
    named_candidates,
    own_size,
    usual_candidates,
)

TASK, CLASSES = "image_classification", 1000
COUNTS = {
    # wish: parameters, GMAC of a picture of the network's own size
    "alexnet:form=paper": (60_965_224, 0.724),
    "alexnet:form=dense": (62_378_344, None),
    "alexnet:form=torchvision": (61_100_840, 0.714),
    "zfnet": (62_357_608, 1.168),
    "vgg:depth=11:batch_norm=false": (132_863_336, 7.61),
    "vgg:depth=16:batch_norm=false": (138_357_544, 15.47),
    "vgg:depth=19:batch_norm=true": (143_678_248, None),
    "googlenet": (6_624_904, 1.498),  # without its two auxiliary classifiers
    "inception_v3": (23_834_568, 5.713),  # without its auxiliary classifier
    "inception_v4": (42_679_816, None),
    "resnet:depth=18": (11_689_512, 1.81),
    "resnet:depth=50": (25_557_032, 4.09),
    "resnet:depth=152": (60_192_808, 11.51),
    "xception": (22_855_952, None),
    "mobilenet_v1": (4_231_976, 0.569),
    "mobilenet_v2": (3_504_872, 0.301),
    "mobilenet_v3:version=small": (2_542_856, 0.057),
    "mobilenet_v3:version=large": (5_483_032, 0.217),
    "efficientnet:version=b0": (5_288_548, 0.386),
    "efficientnet:version=b7": (66_347_960, 37.75),
}

QUICK = ("vgg:depth=16:batch_norm=false", "resnet:depth=50", "mobilenet_v3:version=small")


def built(candidate: Candidate) -> torch.nn.Module:
    with torch.device("meta"):
        network: torch.nn.Module = resolve(candidate.entry.builder or "")(
            candidate.predicting.settings, CLASSES
        )
    return network


@pytest.mark.parametrize(
    "wish",
    [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in COUNTS],
)
def test_parameters_and_arithmetic_are_as_published(wish: str) -> None:
    parameters, gmac = COUNTS[wish]
    (candidate,) = named_candidates(TASK, [wish])

    cost = count_network(built(candidate), own_size(candidate))

    assert cost.parameters == parameters
    if gmac is not None:
        assert cost.macs / 1e9 == pytest.approx(gmac, abs=0.006, rel=0.002)


def test_there_are_twenty_networks_to_choose_from_and_more() -> None:
    assert len(usual_candidates(TASK)) >= 20


def test_every_published_network_is_a_candidate() -> None:
    every = [each.settings for each in all_candidates(TASK)]
    for published in PUBLISHED:
        assert any(
            settings.name == published.model
            and all(getattr(settings, name) == v for name, v in published.settings.items())
            for settings in every
        ), published.label
