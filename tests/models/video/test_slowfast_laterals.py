import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.video.slowfast_laterals import LateralConvolution, TimeStridedSample, TimeToChannel

ALPHA, FRAMES = 4, 3
SLOW = torch.randn(2, 6, FRAMES, 2, 5, generator=torch.Generator().manual_seed(1))
FAST = torch.randn(2, 2, ALPHA * FRAMES, 2, 5, generator=torch.Generator().manual_seed(2))


def appended(fused: Tensor) -> Tensor:
    """Return what comes after the Slow channels, which stay as they are."""
    assert torch.equal(fused[:, :6], SLOW)
    return fused[:, 6:]


def test_time_strided_sample_appends_every_alphath_frame() -> None:
    maps = appended(TimeStridedSample(ALPHA)(SLOW, FAST))
    for frame in range(FRAMES):
        assert torch.equal(maps[:, :, frame], FAST[:, :, ALPHA * frame])


def test_time_to_channel_appends_alpha_frames_as_channels() -> None:
    maps = appended(TimeToChannel(ALPHA, is_added=False)(SLOW, FAST))
    assert maps.shape == (2, 2 * ALPHA, FRAMES, 2, 5)
    for frame, channel, step in itertools.product(range(FRAMES), range(2), range(ALPHA)):
        assert torch.equal(
            maps[:, ALPHA * channel + step, frame], FAST[:, channel, ALPHA * frame + step]
        )


def test_time_to_channel_sum_adds_them() -> None:
    slow = torch.randn(2, 2 * ALPHA, FRAMES, 2, 5)
    packed = TimeToChannel(ALPHA, is_added=False)(slow, FAST)[:, 2 * ALPHA :]
    assert torch.equal(TimeToChannel(ALPHA, is_added=True)(slow, FAST), slow + packed)


@pytest.mark.parametrize("frames", [3, 5, 7, 9])
@pytest.mark.parametrize("is_normalised", [False, True])
def test_convolution_appends_twice_the_channels_seen_around_every_alphath_frame(
    frames: int, is_normalised: bool
) -> None:
    torch.manual_seed(0)
    lateral = LateralConvolution(2, frames=frames, alpha=ALPHA, is_normalised=is_normalised).eval()
    maps = appended(lateral(SLOW, FAST))
    margin = frames // 2
    padded = functional.pad(FAST, (0, 0, 0, 0, margin, margin))
    for frame in range(FRAMES):
        around = padded[:, :, ALPHA * frame : ALPHA * frame + frames]
        expected = torch.einsum("bcthw,oct->bohw", around, lateral.conv.weight[..., 0, 0])
        if is_normalised:
            expected = functional.relu(expected / (1 + 1e-5) ** 0.5)
        torch.testing.assert_close(maps[:, :, frame], expected, rtol=1e-5, atol=1e-5)
