"""How long a network takes for an image."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.detection.detector import padded
from models.detection.search_settings import SearchSettings
from models.detection.selective_search import proposals
from models.detection.selective_search.proposals import SearchedRegions, searched
from models.tasks.detection_speed import forward_times


class Searching(nn.Module):
    """What R-CNN and Fast R-CNN begin with."""

    def __init__(self) -> None:
        super().__init__()
        self.regions = SearchedRegions(SearchSettings(proposals=5), is_normalized=False)

    def forward(self, images: list[Tensor]) -> list[Tensor]:
        return self.regions(padded(images, 1))


def test_time_of_an_image_has_the_search_for_its_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that were scored are known, those that a user brings are not."""
    searches: list[int] = []

    def counted(rgb: NDArray[np.uint8], settings: SearchSettings) -> NDArray[np.float32]:
        searches.append(len(rgb))
        return searched(rgb, settings)

    monkeypatch.setattr(proposals, "searched", counted)
    network = Searching()
    images = [torch.rand(3, side, side) * 2 - 1 for side in (20, 24, 28)]
    scored = network(images)
    assert searches == [20, 24, 28]
    assert forward_times(network, images)["images"] == 3
    assert searches == [20, 24, 28] * 2
    for found, again in zip(network(images), scored, strict=True):
        assert torch.equal(found, again)
    assert searches == [20, 24, 28] * 2  # what was known still is
