"""The embedding of a picture is what the layer of its logits is given."""

import pytest
import torch
from torch import Tensor, nn

from models.class_rows import ClassRows
from models.classification.embedding import watched
from models.classification.small_cnn import build_small_cnn
from models.classification.small_cnn_settings import SmallCNNSettings

IMAGES = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class TwoHeads(nn.Module):
    """An early head of maps, and the last one."""

    class_rows = (ClassRows("last"), ClassRows("early"))

    def __init__(self) -> None:
        super().__init__()
        self.early, self.last = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        early = self.early(images)
        scores: Tensor = self.last(2 * images) + early
        return scores.mean(dim=(2, 3))


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return build_small_cnn(SmallCNNSettings(filters=(4,), grid=2, hidden_units=(6,)), 3)


def test_embedding_is_the_last_hidden_layer() -> None:
    network = small_network()
    with watched(network) as embedding:
        logits = network(IMAGES)
    assert embedding.of_images().shape == (4, 6)
    output = network.get_submodule("output")
    torch.testing.assert_close(output(embedding.of_images()), logits)


def test_gradients_reach_the_layers_before_it() -> None:
    network = small_network()
    with watched(network) as embedding:
        network(IMAGES)
    embedding.of_images().square().sum().backward()  # type: ignore[no-untyped-call]
    moved = {name for name, each in network.named_parameters() if each.grad is not None}
    assert {"blocks.0.0.weight", "hidden.0.weight"} <= moved
    assert "output.weight" not in moved


def test_of_several_layers_the_last_to_run_decides_and_maps_are_averaged() -> None:
    network = TwoHeads()
    with watched(network) as embedding:
        network(IMAGES)
    torch.testing.assert_close(embedding.of_images(), 2 * IMAGES.mean(dim=(2, 3)))


def test_nothing_is_kept_afterwards() -> None:
    network = small_network()
    with watched(network) as embedding:
        network(IMAGES)
    before = embedding.of_images()
    network(2 * IMAGES)
    assert embedding.of_images() is before


def test_network_that_did_not_run_has_no_embedding() -> None:
    with watched(small_network()) as embedding:
        pass
    with pytest.raises(ValueError, match="run it first"):
        embedding.of_images()


def test_network_that_does_not_name_its_logits_is_refused() -> None:
    with (
        pytest.raises(TypeError, match=r"by class_rows .*, got Linear; use another loss"),
        watched(nn.Linear(2, 2)),
    ):
        pass
