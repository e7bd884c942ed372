"""Saliency and integrated gradients of scores whose gradients are known."""

import pytest
import torch
from torch import Tensor, nn

from models.explaining.pixel_gradients import integrated_gradients, saliency


class TwoScores(nn.Module):
    """Class 0: 3 times the upper left red less 5 times its green. Class 1: all blue squared."""

    def forward(self, images: Tensor) -> Tensor:
        first = 3 * images[:, 0, 0, 0] - 5 * images[:, 1, 0, 0]
        return torch.stack([first, images[:, 2].square().sum(dim=(1, 2))], dim=1)


@pytest.fixture
def picture() -> Tensor:
    """Return 2 x 2 pixels, red and green 1, blue 0 1 / 2 3."""
    image = torch.ones(1, 3, 2, 2)
    image[0, 2] = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    return image


def test_saliency_is_the_largest_gradient_of_the_colours(picture: Tensor) -> None:
    network = TwoScores().eval()
    assert saliency(network, picture, 0).tolist() == [[5.0, 0.0], [0.0, 0.0]]
    assert saliency(network, picture, 1).tolist() == [[0.0, 2.0], [4.0, 6.0]]


def test_integrated_gradients_are_each_pixels_part_of_the_score(picture: Tensor) -> None:
    network = TwoScores().eval()
    # From blue 0 the parts of a sum of squares are the squares, which add up to the score, 14.
    found = integrated_gradients(network, picture, 1, baseline=torch.zeros_like(picture))
    torch.testing.assert_close(found.values, torch.tensor([[0.0, 1.0], [4.0, 9.0]]))
    assert found.gap == pytest.approx(0, abs=1e-4)


def test_colours_of_a_pixel_are_added_before_the_size_is_taken(picture: Tensor) -> None:
    network = TwoScores().eval()
    found = integrated_gradients(network, picture, 0, baseline=torch.zeros_like(picture))
    assert found.values[0, 0].item() == pytest.approx(2)  # |3 - 5|


def test_no_gradients_around_it_change_nothing(picture: Tensor) -> None:
    with torch.no_grad():
        values = saliency(TwoScores().eval(), picture, 0)
    assert values.tolist() == [[5.0, 0.0], [0.0, 0.0]]
