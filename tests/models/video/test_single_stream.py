import pytest
import torch
from pydantic import ValidationError
from torch import nn

from models.entries import ClipShape
from models.video.frame_choice import evenly_spaced, in_the_middle
from models.video.single_frame import build_single_frame
from models.video.single_stream import (
    SLOW,
    FrameNorm,
    Times,
    Trunk,
    build_early_fusion,
    build_late_fusion,
    build_slow_fusion,
)
from models.video.single_stream_settings import (
    EarlyFusionSettings,
    LateFusionSettings,
    SingleFrameSettings,
    SlowFusionSettings,
    fusion_clip_rule,
    single_frame_clip_rule,
    single_stream_size_rule,
)
from models.votes import Votes

TINY = {"width": 0.05, "grid": 1}


class TestFrames:
    @pytest.mark.parametrize(
        ("frames", "count", "expected"),
        [
            (16, 2, [4, 11]),
            (16, 4, [2, 6, 9, 13]),
            (15, 1, [7]),
            (15, 3, [2, 7, 12]),
            (4, 4, [0, 1, 2, 3]),
        ],
    )
    def test_voters_are_spread_over_the_clip(
        self, frames: int, count: int, expected: list[int]
    ) -> None:
        assert evenly_spaced(frames, count) == expected

    def test_voters_are_different_frames_and_the_same_backwards(self) -> None:
        for frames in range(1, 40):
            for count in range(1, frames + 1):
                if count % 2 <= frames % 2:
                    chosen = evenly_spaced(frames, count)
                    assert len(set(chosen)) == count
                    assert chosen == sorted(frames - 1 - index for index in chosen)

    def test_frames_of_fusions_are_in_the_middle(self) -> None:
        assert in_the_middle(16, 10, 1) == list(range(3, 13))
        assert in_the_middle(16, 2, 15) == [0, 15]
        assert in_the_middle(64, 10, 7) == list(range(0, 64, 7))


class TestTrunk:
    def test_170_pixels_become_6(self) -> None:
        with torch.device("meta"):
            maps = Trunk(Times(), width=1)(torch.empty(1, 3, 1, 170, 170))
        assert maps.shape == (1, 256, 1, 6, 6)

    def test_slow_fusion_merges_ten_frames_to_four_two_and_one(self) -> None:
        with torch.device("meta"):
            maps, frames = torch.empty(1, 3, 10, 32, 32), []
            for layer in Trunk(SLOW, width=0.1):
                maps = layer(maps)
                if isinstance(layer, nn.Conv3d):
                    frames.append(maps.shape[2])
        assert frames == [4, 2, 1, 1, 1]

    def test_response_is_normalised_by_five_channels_of_the_same_place(self) -> None:
        maps = torch.randn(2, 7, 3, 4, 5, generator=torch.Generator().manual_seed(0))
        # torch divides alpha by the number of channels.
        expected = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.5, k=2.0)(maps)
        norm = next(each for each in Trunk(Times(), width=0.1) if isinstance(each, FrameNorm))
        torch.testing.assert_close(norm(maps), expected)


class TestFusion:
    def test_late_fusion_sees_two_frames_and_no_other(self) -> None:
        network = build_late_fusion(LateFusionSettings(distance=3, **TINY), 2).eval()
        clips = torch.randn(1, 3, 6, 32, 32)
        others = clips.clone()
        others[:, :, [0, 2, 3, 5]] = 0
        with torch.no_grad():
            assert torch.equal(network(clips), network(others))
            assert not torch.equal(network(clips), network(clips * 0.5))

    def test_early_and_slow_fusion_see_ten_frames(self) -> None:
        clips = torch.randn(1, 3, 12, 32, 32, requires_grad=True)
        for network in (
            build_early_fusion(EarlyFusionSettings(**TINY), 2),
            build_slow_fusion(SlowFusionSettings(**TINY), 2),
        ):
            (gradient,) = torch.autograd.grad(network.eval()(clips).square().sum(), clips)
            seen = gradient.abs().sum((0, 1, 3, 4)) > 0
            assert seen.tolist() == [False] + [True] * 10 + [False]


class TestSingleFrame:
    @pytest.mark.parametrize("settings", [{"backbone": "resnet18"}, TINY])
    def test_each_voter_decides_by_its_own_frame(self, settings: dict[str, object]) -> None:
        chosen = SingleFrameSettings.model_validate({"voters": 3, **settings})
        network = build_single_frame(chosen, 4).eval()
        clips = torch.randn(2, 3, 9, 32, 32)
        with torch.no_grad():
            votes = network(clips)
            assert isinstance(votes, Votes)
            assert votes.logits.shape == (2, 3, 4)
            still = clips[:, :, 4:5].expand(-1, -1, 9, -1, -1)
            torch.testing.assert_close(network(still).logits[:, 0], votes.logits[:, 1])

    def test_a_setting_without_effect_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="grid has no effect with backbone 'resnet18'"):
            SingleFrameSettings(backbone="resnet18", grid=2)
        with pytest.raises(ValidationError, match="'karpathy', of which nobody has weights"):
            SingleFrameSettings(pretrained="imagenet")


class TestRules:
    def test_size_must_give_the_grid(self) -> None:
        assert single_stream_size_rule(EarlyFusionSettings(), 170) is None
        assert single_stream_size_rule(EarlyFusionSettings(), 112) == (
            "image size of early_fusion must be 152 to 175 with model.grid 6, got 112; use 152, "
            "or model.grid 4"
        )
        for size in (32, 55, 56, 64, 112, 151, 152, 170, 175, 176):
            settings = SlowFusionSettings(grid=(size - 8) // 24)
            assert single_stream_size_rule(settings, size) is None
            with torch.device("meta"):
                maps = Trunk(Times(), width=0.01)(torch.empty(1, 3, 1, size, size))
            assert maps.shape[-1] == settings.grid

    @pytest.mark.parametrize(("voters", "least"), [(1, 33), (2, 32)])
    def test_smallest_frames_of_a_resnet_can_be_normalised(self, voters: int, least: int) -> None:
        settings = SingleFrameSettings(backbone="resnet18", voters=voters)
        assert single_stream_size_rule(settings, least - 1) == (
            f"image size of single_frame with backbone 'resnet18' must be at least {least} (five "
            f"halvings), got {least - 1}; use {least}"
        )
        assert single_stream_size_rule(settings, least) is None
        network = build_single_frame(settings, 2).train()
        assert network(torch.randn(1, 3, 3, least, least)).logits.isfinite().all()

    def test_clip_must_have_the_frames_that_are_seen(self) -> None:
        assert fusion_clip_rule(SlowFusionSettings(), ClipShape(10)) is None
        assert fusion_clip_rule(LateFusionSettings(), ClipShape(8)) == (
            "clips of late_fusion must have at least 16 frames, for 2 that are 15 apart, got 8; "
            "set data.clip.frames to 16 or more"
        )

    def test_an_odd_number_of_voters_needs_a_frame_in_the_middle(self) -> None:
        one = SingleFrameSettings(voters=1)
        assert single_frame_clip_rule(one, ClipShape(15)) is None
        assert single_frame_clip_rule(one, ClipShape(16)) == (
            "clips of single_frame must have an odd number of frames with an odd number of "
            "model.voters (1), for one to be in the middle, got 16; set data.clip.frames: 17, or "
            "model.voters: 2"
        )
        message = single_frame_clip_rule(SingleFrameSettings(voters=8), ClipShape(4))
        assert message is not None
        assert message.startswith("clips of single_frame must have at least 8 frames")
