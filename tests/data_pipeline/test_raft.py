"""Optical flow by torchvision's RAFT, with weights from a file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models.optical_flow import raft_small  # type: ignore[import-untyped]

from data_pipeline.datasets.settings.flow import Flow
from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.video.flow import ClipFlow, moved_between


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("raft") / "raft.pth"
    torch.save(raft_small(weights=None, progress=False).state_dict(), file)
    return file


def test_flow_is_what_torchvision_gives_for_the_frames(weights: Path) -> None:
    random = np.random.default_rng(0)
    frame, later = random.integers(0, 256, (2, 128, 136, 3), dtype=np.uint8)
    motion = moved_between(frame, later, Flow(method="raft", weights=weights))
    network = raft_small(weights=None, progress=False).eval()
    network.load_state_dict(torch.load(weights, weights_only=True))
    pictures = [
        torch.from_numpy(each).permute(2, 0, 1)[None] / 255 * 2 - 1 for each in (frame, later)
    ]
    with torch.no_grad():
        expected = network(*pictures)[-1][0].permute(1, 2, 0).numpy()
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(motion, expected, atol=1e-3)


def test_frames_of_any_size_have_flow(weights: Path) -> None:
    frame = np.zeros((21, 30, 3), np.uint8)
    assert moved_between(frame, frame, Flow(method="raft", weights=weights)).shape == (21, 30, 2)


def test_the_key_follows_the_weights(weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    other.write_bytes(weights.read_bytes() + b" ")
    keys = {ClipFlow(Flow(method="raft", weights=file), 1).key() for file in (weights, other)}
    assert len(keys) == 2


def test_weights_that_are_not_there_or_of_another_network_are_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent.pth"
    with pytest.raises(MissingDataError, match=r"absent\.pth.*correct clip\.flow\.weights"):
        ClipFlow(Flow(method="raft", weights=absent), 1).key()
    file = tmp_path / "linear.pth"
    torch.save(torch.nn.Linear(1, 1).state_dict(), file)
    frame = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(InvalidDataError, match="weights of torchvision's raft_small"):
        moved_between(frame, frame, Flow(method="raft", weights=file))
