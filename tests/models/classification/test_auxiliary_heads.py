"""GoogLeNet and Inception-v3: heads on the way that learn and have no say."""

import pytest
import torch
from torch import Tensor, nn
from torchvision import models  # type: ignore[import-untyped]
from torchvision.models.googlenet import GoogLeNetOutputs  # type: ignore[import-untyped]

from models.classification.auxiliary_heads import (
    VotingNetwork,
    build_googlenet,
    build_inception_v3,
)
from models.classification.inception_settings import (
    GoogLeNetSettings,
    InceptionV3Settings,
    inception_v3_size_rule,
)
from models.cost import count_parameters, count_predicting
from models.recomputing import recompute_stages
from models.votes import Votes, class_losses, class_probabilities

PICTURES = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 4])


@pytest.fixture(scope="module")
def googlenets() -> tuple[VotingNetwork, nn.Module]:
    """Return ours and torchvision's of the same weights, ready to learn."""
    settings = GoogLeNetSettings()
    theirs = models.GoogLeNet(num_classes=5, init_weights=True, dropout=settings.dropout)
    ours = build_googlenet(settings, 5)
    weights = {
        f"output.{name[3:]}" if name.startswith("fc.") else f"features.{name}": value
        for name, value in theirs.state_dict().items()
    }
    ours.load_state_dict(weights | {k: v for k, v in ours.state_dict().items() if "pixels" in k})
    return ours.train(), theirs.train()


@pytest.fixture(scope="module")
def outputs(googlenets: tuple[VotingNetwork, nn.Module]) -> tuple[Votes, GoogLeNetOutputs]:
    found = []
    for network in googlenets:
        torch.manual_seed(3)  # of the activations that are dropped
        found.append(network(PICTURES))
    return found[0], found[1]


def test_heads_vote_in_training_as_torchvisions_do(
    outputs: tuple[Votes, GoogLeNetOutputs],
) -> None:
    ours, theirs = outputs
    expected = torch.stack([theirs.logits, theirs.aux_logits2, theirs.aux_logits1], dim=1)
    torch.testing.assert_close(ours.logits, expected, rtol=1e-4, atol=1e-5)


def test_loss_of_each_head_counts_three_tenths(outputs: tuple[Votes, GoogLeNetOutputs]) -> None:
    ours, theirs = outputs
    parts = [
        class_losses(each, LABELS)
        for each in (theirs.logits, theirs.aux_logits1, theirs.aux_logits2)
    ]
    expected = parts[0] + 0.3 * parts[1] + 0.3 * parts[2]
    torch.testing.assert_close(class_losses(ours, LABELS), expected, rtol=1e-4, atol=1e-5)


def test_heads_have_no_say(outputs: tuple[Votes, GoogLeNetOutputs]) -> None:
    ours, theirs = outputs
    torch.testing.assert_close(
        class_probabilities(ours), theirs.logits.softmax(dim=1), rtol=1e-4, atol=1e-5
    )


def test_heads_are_not_run_in_evaluation(googlenets: tuple[VotingNetwork, nn.Module]) -> None:
    ours, _ = googlenets
    ours.eval()
    ran: list[str] = []
    hook = ours.features.get_submodule("aux1").register_forward_hook(lambda *_: ran.append("aux1"))
    with torch.no_grad():
        logits = ours(PICTURES)
    hook.remove()
    ours.train()
    assert isinstance(logits, Tensor)
    assert ran == []


@pytest.mark.parametrize("build", ["googlenet", "inception_v3"])
def test_without_heads_there_is_one_layer_of_classes(build: str) -> None:
    with torch.device("meta"):
        network = (
            build_googlenet(GoogLeNetSettings(auxiliary_weight=0), 5)
            if build == "googlenet"
            else build_inception_v3(InceptionV3Settings(auxiliary_weight=0), 5)
        )
    assert [rows.layer for rows in network.class_rows] == ["output"]
    assert isinstance(network.train()(torch.empty(2, 3, 128, 128, device="meta")), Tensor)


@pytest.mark.parametrize(
    ("settings", "trained", "predicting"),
    [
        (GoogLeNetSettings(), 13_004_888, 6_624_904),
        (GoogLeNetSettings(auxiliary_weight=0), 6_624_904, 6_624_904),
        (InceptionV3Settings(), 27_161_264, 23_834_568),
    ],
)
def test_parameters_that_predict_are_those_without_heads(
    settings: GoogLeNetSettings | InceptionV3Settings, trained: int, predicting: int
) -> None:
    with torch.device("meta"):
        network = (
            build_googlenet(settings, 1000)
            if isinstance(settings, GoogLeNetSettings)
            else build_inception_v3(settings, 1000)
        )
    assert (count_parameters(network), count_predicting(network)) == (trained, predicting)


def test_inception_modules_are_computed_again() -> None:
    with torch.device("meta"):
        network = build_googlenet(GoogLeNetSettings(), 5)
    modules = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    assert recompute_stages(network) == tuple(f"features.inception{name}" for name in modules)


def test_the_head_of_inception_v3_needs_the_papers_size() -> None:
    settings = InceptionV3Settings()
    assert inception_v3_size_rule(settings, 299) is None
    message = str(inception_v3_size_rule(settings, 224))
    assert "must be at least 299, for its second head" in message
    assert "107 with model.auxiliary_weight: 0" in message
    assert inception_v3_size_rule(InceptionV3Settings(auxiliary_weight=0), 224) is None


def test_inception_v3_has_one_head() -> None:
    with torch.device("meta"):
        votes = build_inception_v3(InceptionV3Settings(), 5).train()(
            torch.empty(1, 3, 299, 299, device="meta")
        )
    assert votes.logits.shape == (1, 2, 5)
    assert votes.loss_weights == (1.0, 0.4)
    assert votes.weights == (1.0, 0.0)
