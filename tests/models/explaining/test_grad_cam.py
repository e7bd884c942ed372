"""Grad-CAM against a worked example, against captum, and on pictures whose answer is known."""

import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn
from torchvision.models import resnet18  # type: ignore[import-untyped]

from models.explaining.grad_cam import grad_cam
from models.recomputing import recompute_stages


class OneConvolution(nn.Module):
    """Two 1 x 1 filters without bias, ReLU in place, global average, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 2, 1, bias=False)
        self.activation = nn.ReLU(inplace=True)
        self.classes = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            red, blue = [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]
            self.features.weight.copy_(torch.tensor([red, blue])[..., None, None])
            self.classes.weight.copy_(torch.tensor([[8.0, -4.0], [0.0, 12.0]]))

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.classes(self.activation(self.features(images)).mean(dim=(2, 3)))
        return scores


@pytest.fixture
def picture() -> Tensor:
    """Return 2 x 2 pixels: red 1 2 / 3 0, blue 0 1 / 4 2."""
    image = torch.zeros(1, 3, 2, 2)
    image[0, 0] = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    image[0, 2] = torch.tensor([[0.0, 1.0], [4.0, 2.0]])
    return image


def test_a_map_is_that_of_equations_1_and_2(picture: Tensor) -> None:
    network = OneConvolution().eval()
    # The score of class 0 is 8 mean(red) - 4 mean(blue): its gradient is 2 at each place of the
    # first map and -1 at each of the second, and these are the weights (eq. 1).
    # Their sum 2 red - blue is 2 3 / 2 -2, of which ReLU leaves 2 3 / 2 0 (eq. 2).
    found = grad_cam(network, network.activation, picture, torch.tensor([0]))
    assert found.tolist() == [[[2.0, 3.0], [2.0, 0.0]]]


def test_each_image_of_a_batch_is_asked_about_its_own_class(picture: Tensor) -> None:
    network = OneConvolution().eval()
    found = grad_cam(network, network.activation, picture.repeat(2, 1, 1, 1), torch.tensor([0, 1]))
    # Class 1 is 12 mean(blue): a weight of 3 for the second map.
    assert found.tolist() == [[[2.0, 3.0], [2.0, 0.0]], [[0.0, 3.0], [12.0, 6.0]]]


def test_what_follows_in_place_changes_no_map(picture: Tensor) -> None:
    network = OneConvolution().eval()
    negative = -picture
    before = grad_cam(network, network.features, negative, torch.tensor([0]))
    # ReLU cuts all of it off and passes no gradient back; had the map been changed in place,
    # autograd would refuse to go back through it.
    assert before.tolist() == [[[0.0, 0.0], [0.0, 0.0]]]


def test_frozen_weights_and_no_gradients_around_it_change_nothing(picture: Tensor) -> None:
    network = OneConvolution().eval().requires_grad_(False)
    with torch.no_grad():
        found = grad_cam(network, network.activation, picture, torch.tensor([0]))
    assert found.tolist() == [[[2.0, 3.0], [2.0, 0.0]]]
    assert not found.requires_grad


def test_a_residual_network_gets_the_map_that_captum_computes() -> None:
    torch.manual_seed(0)
    network = resnet18(num_classes=5).eval()
    images, labels = torch.randn(2, 3, 64, 64), torch.tensor([3, 1])
    reference = LayerGradCam(network, network.layer4).attribute(
        images, target=labels, relu_attributions=True
    )
    found = grad_cam(network, network.layer4, images, labels)
    assert found.max() > 0
    torch.testing.assert_close(found, reference.detach().squeeze(1))


@pytest.mark.parametrize("layer", ["layer4", "layer4.1.conv1"])
def test_a_network_that_computes_its_blocks_again_gets_the_same_map(layer: str) -> None:
    torch.manual_seed(0)
    network = resnet18(num_classes=3).eval()
    images, labels = torch.randn(1, 3, 64, 64), torch.tensor([1])
    before = grad_cam(network, network.get_submodule(layer), images, labels)
    recompute_stages(network)
    after = grad_cam(network, network.get_submodule(layer), images, labels)
    assert before.max() > 0
    torch.testing.assert_close(after, before)


def test_a_network_is_left_as_it_was(picture: Tensor) -> None:
    network = OneConvolution().eval()
    grad_cam(network, network.activation, picture, torch.tensor([0]))
    assert not network.activation._forward_hooks
    assert network.features.weight.grad is None
