"""LRCN: its counts, its sense of time, its votes, and what refuses it."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from models.entries import ClipShape
from models.video.lrcn import LRCN, build_lrcn, with_length
from models.video.lrcn_settings import LRCNSettings, lrcn_clip_rule, lrcn_size_rule
from models.votes import class_losses, class_probabilities

SIDE, CLASSES, FRAMES = 40, 3, 4


def tiny(**settings: Any) -> LRCN:
    torch.manual_seed(0)
    fields = {"width": 0.02, "dropout": 0.0, **settings}
    if fields.get("input", "rgb") != "flow":
        fields.setdefault("rgb_units", 8)
    if fields.get("input", "rgb") != "rgb":
        fields.setdefault("flow_units", 6)
    network = build_lrcn(LRCNSettings.model_validate(fields), CLASSES)
    with torch.no_grad():  # scores that differ, unlike those of a fresh network
        for name, weight in network.named_parameters():
            if name.endswith("scores.weight"):
                weight.normal_()
    return network


def clips(channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return 2 * torch.rand(2, channels, FRAMES, SIDE, SIDE, generator=generator) - 1


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 44_571_365),
        ({"input": "flow"}, 61_170_149),
        ({"input": "both"}, 44_571_365 + 61_170_149),
    ],
)
def test_the_network_has_the_published_counts(settings: dict[str, Any], expected: int) -> None:
    with torch.device("meta"):
        network = build_lrcn(LRCNSettings.model_validate(settings), 101)
    assert sum(each.numel() for each in network.parameters()) == expected


def test_reversing_a_clip_changes_what_is_seen_in_it() -> None:
    network = tiny().eval()
    forth = class_probabilities(network(clips()))
    back = class_probabilities(network(clips().flip(2)))
    assert (forth - back).abs().max() > 1e-3


def test_every_frame_votes_and_knows_the_frames_before_it() -> None:
    network = tiny().eval()
    votes = network(clips())
    assert votes.logits.shape == (2, FRAMES, CLASSES)
    torch.testing.assert_close(class_probabilities(votes), votes.logits.softmax(dim=2).mean(dim=1))
    other = clips()
    other[:, :, 2, :20] = 0
    changed = (network(other).logits != votes.logits).any(dim=2)
    assert not changed[:, :2].any()
    assert changed[:, 2:].all()


def test_streams_of_colours_and_motion_learn_apart_and_are_weighed() -> None:
    network = tiny(input="both").eval()
    votes = network(clips(channels=5))
    scores = votes.logits.softmax(dim=2)
    rgb, flow = scores[:, :FRAMES].mean(dim=1), scores[:, FRAMES:].mean(dim=1)
    torch.testing.assert_close(class_probabilities(votes), rgb / 3 + 2 * flow / 3)
    even = tiny(input="both", flow_weight=0.5).eval()
    torch.testing.assert_close(class_probabilities(even(clips(channels=5))), (rgb + flow) / 2)
    labels = torch.tensor([0, 2])
    losses = [
        torch.nn.functional.cross_entropy(part.flatten(0, 1), labels.repeat_interleave(FRAMES))
        for part in (votes.logits[:, :FRAMES], votes.logits[:, FRAMES:])
    ]
    torch.testing.assert_close(class_losses(votes, labels).mean(), losses[0] + losses[1])


def test_motion_comes_with_its_length() -> None:
    flow = torch.tensor([0.3, -0.4]).reshape(1, 2, 1, 1, 1)
    torch.testing.assert_close(with_length(flow).flatten(), torch.tensor([0.3, -0.4, 0.5]))
    network = tiny(input="flow").eval()
    colours = clips(channels=5)
    colours[:, :3] = 0
    assert torch.equal(network(colours).logits, network(clips(channels=5)).logits)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"input": "flow", "rgb_units": 8}, "rgb_units has no effect with input 'flow'"),
        ({"flow_units": 8}, "use input 'flow' or 'both'"),
        ({"input": "flow", "flow_weight": 0.5}, "flow_weight has no effect"),
    ],
)
def test_settings_without_effect_are_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        LRCNSettings.model_validate(settings)


@pytest.mark.parametrize(
    ("given", "clip", "fault"),
    [
        ("rgb", ClipShape(16), None),
        ("rgb", ClipShape(1), "2 or more"),
        ("rgb", ClipShape(16, has_flow=True), "set data.clip.flow: null"),
        ("flow", ClipShape(16), "set data.clip.flow: {}"),
        ("both", ClipShape(16, has_flow=True), None),
    ],
)
def test_clips_must_have_what_the_streams_see(
    given: str, clip: ClipShape, fault: str | None
) -> None:
    message = lrcn_clip_rule(LRCNSettings.model_validate({"input": given}), clip)
    assert message is None if fault is None else fault in str(message)


def test_the_least_size_is_the_one_that_runs() -> None:
    settings = LRCNSettings()
    assert lrcn_size_rule(settings, 39) is None
    assert "use 39 or more" in str(lrcn_size_rule(settings, 38))
    network = tiny()
    network(torch.zeros(1, 3, 2, 39, 39))
    with pytest.raises(RuntimeError, match="too small"):
        network(torch.zeros(1, 3, 2, 38, 38))
