"""Two streams: what each of them sees, how they vote, and what refuses them."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from models.entries import ClipShape
from models.video.catalog import VIDEO_NETWORKS
from models.video.two_stream import TwoStream, build_two_stream, stacked_flow, stacked_scores
from models.video.two_stream_fusion import build_two_stream_fusion
from models.video.two_stream_settings import (
    TwoStreamFusionSettings,
    TwoStreamSettings,
    stream_fusion_clip_rule,
    two_stream_clip_rule,
    two_stream_size_rule,
)
from models.votes import Votes, class_losses, class_probabilities

SIDE, CLASSES = 44, 3


def tiny(**settings: Any) -> TwoStream:
    torch.manual_seed(0)
    fields = {"width": 0.02, "dropout": 0.0, **settings}
    if fields.get("streams") != "spatial":
        fields.setdefault("flow_frames", 3)
    network = build_two_stream(TwoStreamSettings.model_validate(fields), CLASSES)
    with torch.no_grad():  # scores that differ, unlike those of a fresh network
        for name, weight in network.named_parameters():
            if name.endswith("scores.weight"):
                weight.normal_()
    return network


def clips(frames: int = 4, channels: int = 5) -> Tensor:
    return torch.rand(2, channels, frames, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def votes(output: Tensor | Votes) -> Votes:
    assert isinstance(output, Votes)
    return output


@pytest.mark.parametrize("name", ["two_stream", "two_stream_fusion", "lrcn"])
def test_catalogued_counts_hold(name: str) -> None:
    entry = VIDEO_NETWORKS[name]
    expected = {"two_stream": 181_335_594, "two_stream_fusion": 283_514_762, "lrcn": 44_571_365}
    assert entry.parameters[101] == expected[name]


def test_streams_learn_apart() -> None:
    network = tiny()
    class_losses(network(clips()), torch.tensor([0, 2])).mean().backward()  # type: ignore[no-untyped-call]
    together = {
        name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None
    }
    assert len(together) == len(list(network.parameters()))
    for stream, place in (("spatial", 0), ("temporal", 1)):
        network.zero_grad()
        alone = votes(network(clips())).logits[:, place]
        torch.nn.functional.cross_entropy(alone, torch.tensor([0, 2])).backward()  # type: ignore[no-untyped-call]
        for name, parameter in network.named_parameters():
            if name.startswith(stream):
                assert parameter.grad is not None
                torch.testing.assert_close(parameter.grad, together[name])
            else:
                assert parameter.grad is None or not parameter.grad.any()


def test_scores_are_averaged() -> None:
    network = tiny().eval()
    output = votes(network(clips()))
    each = output.logits.softmax(dim=2)
    torch.testing.assert_close(class_probabilities(output), each.mean(dim=1))
    assert (each[:, 0] - each[:, 1]).abs().max() > 0.01


def test_the_spatial_stream_sees_the_first_frame_and_the_temporal_the_motion() -> None:
    network = tiny().eval()
    before = votes(network(clips())).logits
    later_colours, first_colours, motion, last_motion = (clips() for _ in range(4))
    later_colours[:, :3, 1:] = 0
    first_colours[:, :3, 0] = 0
    motion[:, 3:, 2, :20] = 0
    last_motion[:, 3:, 3, :20] = 0  # repeats that of the frame before
    assert torch.equal(votes(network(later_colours)).logits, before)
    assert torch.equal(votes(network(last_motion)).logits, before)
    changed = votes(network(first_colours)).logits != before
    assert changed[:, 0].any()
    assert not changed[:, 1].any()
    changed = votes(network(motion)).logits != before
    assert changed[:, 1].any()
    assert not changed[:, 0].any()


def test_flow_is_stacked_right_and_down_by_turns() -> None:
    flow = torch.arange(2 * 3).reshape(1, 2, 3, 1, 1).float()  # right 0 1 2, down 3 4 5
    assert stacked_flow(flow, is_centred=False).flatten().tolist() == [0, 3, 1, 4, 2, 5]


def test_the_mean_motion_of_each_field_is_subtracted_unless_it_shall_stay() -> None:
    shifted = clips()
    shifted[:, 3:] += torch.tensor([0.3, -0.2]).reshape(2, 1, 1, 1)
    for is_centred in (True, False):
        network = tiny(streams="temporal", subtracts_mean_flow=is_centred).eval()
        same = torch.allclose(
            votes(network(clips())).logits, votes(network(shifted)).logits, atol=1e-4
        )
        assert same is is_centred


def test_one_stream_has_no_weights_of_the_other() -> None:
    spatial, temporal = tiny(streams="spatial"), tiny(streams="temporal")
    for network, stream in ((spatial, "spatial"), (temporal, "temporal")):
        assert {name.split(".")[0] for name, _ in network.named_parameters()} == {stream}
        assert list(network.streams) == [stream]
    assert votes(spatial(clips(frames=1, channels=3))).logits.shape == (2, 1, CLASSES)
    assert [rows.layer for rows in tiny(fusion="svm").class_rows] == [
        "spatial.scores",
        "temporal.scores",
    ]


def test_stacked_scores_have_length_one_for_each_stream() -> None:
    scores = stacked_scores(torch.tensor([[[0.0, 0.0], [2.0, -1.0]]]))
    p = torch.tensor([2.0, -1.0]).softmax(dim=0)
    expected = torch.cat([torch.full((2,), 0.5**0.5), p / p.square().sum().sqrt()])
    torch.testing.assert_close(scores[0], expected)


def test_a_fitted_svm_decides_until_the_streams_learn_on() -> None:
    network = tiny(fusion="svm").eval()
    averaged = network(clips())
    assert isinstance(averaged, Votes)
    weight = torch.randn(CLASSES, 2 * CLASSES)
    network.svm.settle(weight, torch.tensor([0.1, 0.2, 0.3]), 1.0)
    fused = network(clips())
    expected = stacked_scores(averaged.logits) @ weight.T + torch.tensor([0.1, 0.2, 0.3])
    torch.testing.assert_close(class_probabilities(fused), expected.softmax(dim=1))
    again = tiny(fusion="svm").eval()
    again.load_state_dict(network.state_dict())
    torch.testing.assert_close(again(clips()).logits, fused.logits)
    assert network.train()(clips()).logits.shape[1] == 2
    torch.testing.assert_close(network.eval()(clips()).logits, averaged.logits)


def test_the_loss_is_the_streams_own_whoever_fuses_them() -> None:
    network, labels = tiny(fusion="svm").eval(), torch.tensor([2, 0])
    before = class_losses(network(clips()), labels)
    network.svm.settle(torch.randn(CLASSES, 2 * CLASSES), torch.tensor([0.1, 0.2, -100.0]), 1.0)
    assert network.is_fused
    torch.testing.assert_close(class_losses(network(clips()), labels), before)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"streams": "spatial", "flow_frames": 5}, "flow_frames has no effect"),
        ({"streams": "spatial", "subtracts_mean_flow": True}, "subtracts_mean_flow has no effect"),
        ({"streams": "temporal", "fusion": "svm"}, "fusion 'svm' needs streams 'both'"),
        ({"svm_c": 2.0}, "svm_c has no effect with fusion 'average'"),
    ],
)
def test_settings_without_effect_are_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        TwoStreamSettings.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "clip", "fault"),
    [
        ({}, ClipShape(11, has_flow=True), None),
        ({}, ClipShape(11), "set data.clip.flow: {}"),
        ({}, ClipShape(16, has_flow=True), "set data.clip.frames: 11"),
        ({"flow_frames": 4}, ClipShape(5, has_flow=True), None),
        ({"streams": "spatial"}, ClipShape(1), None),
        ({"streams": "spatial"}, ClipShape(4), "set data.clip.frames: 1"),
        ({"streams": "spatial"}, ClipShape(2, has_flow=True), "set data.clip.flow: null"),
    ],
)
def test_clips_must_have_what_the_streams_see(
    settings: dict[str, Any], clip: ClipShape, fault: str | None
) -> None:
    message = two_stream_clip_rule(TwoStreamSettings.model_validate(settings), clip)
    assert message is None if fault is None else fault in str(message)


def test_the_least_sizes_are_those_that_run() -> None:
    for backbone, least in (("cnn_m_2048", 41), ("vgg16", 32)):
        settings = TwoStreamSettings.model_validate({"backbone": backbone})
        assert two_stream_size_rule(settings, least) is None
        assert f"use {least} or more" in str(two_stream_size_rule(settings, least - 1))
        network = tiny(backbone=backbone, streams="spatial")
        network(torch.zeros(1, 3, 1, least, least))
        with pytest.raises(RuntimeError, match="too small"):
            network(torch.zeros(1, 3, 1, least - 1, least - 1))


def fusion(**settings: Any) -> Any:
    torch.manual_seed(0)
    fields = {"width": 0.03, "dropout": 0.0, "chunks": 2, "flow_frames": 3, "chunk_stride": 4}
    return build_two_stream_fusion(
        TwoStreamFusionSettings.model_validate({**fields, **settings}), CLASSES
    )


def test_fused_streams_see_the_moments_of_the_clip() -> None:
    network = fusion().eval()
    assert network.settings.frames == 8
    before = network(clips(frames=8))
    assert before.logits.shape == (2, 2, CLASSES)
    for channels, frame, is_seen in (
        (slice(0, 3), 1, True),  # the middle of frames 0 to 2
        (slice(0, 3), 5, True),
        (slice(0, 3), 2, False),
        (slice(3, 5), 4, True),
        (slice(3, 5), 3, False),  # between the moments
        (slice(3, 5), 7, False),
    ):
        other = clips(frames=8)
        other[:, channels, frame, :20] = 0.5
        assert (not torch.equal(network(other).logits, before.logits)) is is_seen


def test_colours_reach_the_fused_head_alone_and_gradients_every_weight() -> None:
    network = fusion().eval()
    other = clips(frames=8)
    other[:, :3] = 0
    changed = network(other).logits != network(clips(frames=8)).logits
    assert changed[:, 0].all()
    assert not changed[:, 1].any()
    class_losses(network.train()(clips(frames=8)), torch.tensor([0, 1])).mean().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_pooling_is_the_maximum_over_space_and_time() -> None:
    maps = torch.randn(2, 3, 4, 6, 6)  # clips, moments, maps, rows, columns
    expected = torch.nn.functional.max_pool3d(maps.transpose(1, 2), (3, 2, 2)).squeeze(2)
    assert torch.equal(fusion()._pooled(maps), expected)


def test_fused_streams_need_the_frames_of_their_moments() -> None:
    settings = TwoStreamFusionSettings()
    assert stream_fusion_clip_rule(settings, ClipShape(51, has_flow=True)) is None
    assert "data.clip.frames: 51" in str(
        stream_fusion_clip_rule(settings, ClipShape(50, has_flow=True))
    )
    assert "set data.clip.flow: {}" in str(stream_fusion_clip_rule(settings, ClipShape(51)))
    with pytest.raises(ValidationError, match="chunk_stride has no effect with 1 chunk"):
        TwoStreamFusionSettings(chunks=1, chunk_stride=3)
