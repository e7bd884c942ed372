"""Which sizes and lengths networks of clips take, and what they say of others."""

import pytest
import torch

from models.entries import ClipShape
from models.video.c3d import build_c3d
from models.video.c3d_settings import C3DSettings, c3d_clip_rule, c3d_size_rule
from models.video.i3d import build_i3d
from models.video.inception_settings import I3DSettings, S3DSettings, i3d_clip_rule
from models.video.input_rules import colour_clip_rule, halving_clip_rule
from models.video.torchvision_settings import (
    MViTSettings,
    R3DSettings,
    Swin3DSettings,
    mvit_clip_rule,
    mvit_size_rule,
    swin3d_size_rule,
    video_resnet_size_rule,
)


class TestC3D:
    @pytest.mark.parametrize(("side", "frames"), [(32, 1), (33, 17), (64, 16), (97, 40), (128, 8)])
    def test_settings_that_a_clip_asks_for_fit_the_network(self, side: int, frames: int) -> None:
        settings = C3DSettings(width=0.01, grid=-(-side // 32), spans=-(-frames // 16))
        assert c3d_size_rule(settings, side) is None
        assert c3d_clip_rule(settings, ClipShape(frames)) is None
        with torch.device("meta"):
            assert build_c3d(settings, 4)(torch.empty(1, 3, frames, side, side)).shape == (1, 4)

    def test_other_sizes_are_told(self) -> None:
        assert c3d_size_rule(C3DSettings(), 112) is None
        assert c3d_size_rule(C3DSettings(), 64) == (
            "image size of c3d must be 97 to 128 with model.grid 4, got 64; use 128, or "
            "model.grid 2"
        )
        assert c3d_clip_rule(C3DSettings(), ClipShape(32)) == (
            "clips of c3d must have 1 to 16 frames with model.spans 1, got 32; set "
            "data.clip.frames: 16, or model.spans: 2"
        )

    def test_normalised_convolutions_have_several_values_of_one_clip(self) -> None:
        settings = C3DSettings(width=0.01, grid=1, batch_norm=True)
        assert c3d_size_rule(settings, 17) is None
        build_c3d(settings, 2).train()(torch.randn(1, 3, 1, 17, 17))
        assert c3d_size_rule(settings, 16) == (
            "image size of c3d must be at least 17 with model.batch_norm, which needs several "
            "values to normalise, got 16; use 17 or more, or model.batch_norm: false"
        )
        assert c3d_size_rule(C3DSettings(grid=1), 1) is None

    def test_normalised_convolutions_are_a_setting(self) -> None:
        with torch.device("meta"):
            plain, normalised = (
                build_c3d(C3DSettings(width=0.1, batch_norm=norm), 2) for norm in (False, True)
            )
        names = {name for name, _ in normalised.named_buffers()}
        assert len(names) == 3 * 8
        assert not dict(plain.named_buffers())


class TestI3D:
    def test_network_of_flow_sees_no_colours(self) -> None:
        torch.manual_seed(0)
        settings = I3DSettings(sees="flow", width=0.05)
        network, clips = build_i3d(settings, 2).eval(), torch.randn(1, 5, 8, 64, 64)
        other_colours, other_flow = clips.clone(), clips.clone()
        other_colours[:, :3], other_flow[:, 3:] = 0, 0
        with torch.no_grad():
            assert torch.equal(network(clips), network(other_colours))
            assert not torch.equal(network(clips), network(other_flow))

    def test_clip_must_have_what_is_seen(self) -> None:
        flow = I3DSettings(sees="flow")
        assert i3d_clip_rule(I3DSettings(), ClipShape(16)) is None
        assert i3d_clip_rule(flow, ClipShape(16, has_flow=True)) is None
        assert i3d_clip_rule(flow, ClipShape(16)) == (
            "clips of i3d with model.sees 'flow' must have optical flow, got colours alone; set "
            "data.clip.flow, or model.sees: rgb"
        )
        assert i3d_clip_rule(I3DSettings(), ClipShape(16, has_flow=True)) == (
            "clips of i3d must be red, green and blue alone, got optical flow too; set "
            "data.clip.flow: null"
        )


class TestOthers:
    def test_time_must_be_long_enough_to_be_halved(self) -> None:
        message = (
            "clips of {} must have at least 8 frames (3 halvings of time), got 7; set "
            "data.clip.frames to 8 or more"
        )
        assert halving_clip_rule(S3DSettings(), ClipShape(8)) is None
        assert halving_clip_rule(S3DSettings(), ClipShape(7)) == message.format("s3d")
        assert i3d_clip_rule(I3DSettings(), ClipShape(7)) == message.format("i3d")

    def test_positions_of_mvit_are_of_16_frames_of_224_pixels(self) -> None:
        settings = MViTSettings()
        assert mvit_size_rule(settings, 224) is None
        assert mvit_clip_rule(settings, ClipShape(16)) is None
        assert "use 224" in str(mvit_size_rule(settings, 112))
        assert "data.clip.frames: 16" in str(mvit_clip_rule(settings, ClipShape(32)))
        assert "data.clip.flow: null" in str(
            mvit_clip_rule(settings, ClipShape(16, has_flow=True))
        )

    def test_small_frames_are_told(self) -> None:
        assert video_resnet_size_rule(R3DSettings(), 32) is None
        assert "use 32" in str(video_resnet_size_rule(R3DSettings(), 31))
        assert swin3d_size_rule(Swin3DSettings(), 64) is None
        assert "use 64" in str(swin3d_size_rule(Swin3DSettings(), 63))
        assert colour_clip_rule(Swin3DSettings(), ClipShape(1)) is None
