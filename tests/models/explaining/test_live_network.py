"""A network that is asked for gradients is found as it was built, and left as it was."""

from contextlib import suppress

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from models.explaining.live_network import asked_for_gradients


def test_a_wrapped_network_has_its_own_layers_names() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 1))
    wrapped = Fabric(accelerator="cpu", devices=1).setup_module(network)
    with asked_for_gradients(wrapped) as found:
        assert found is network
    with asked_for_gradients(network) as found:
        assert found is network


@pytest.mark.parametrize("is_deterministic", [True, False])
def test_kernels_are_free_meanwhile_and_then_as_before(is_deterministic: bool) -> None:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(is_deterministic)
    try:
        with suppress(KeyError), asked_for_gradients(nn.Identity()):
            assert not torch.are_deterministic_algorithms_enabled()
            raise KeyError
        assert torch.are_deterministic_algorithms_enabled() is is_deterministic
    finally:
        torch.use_deterministic_algorithms(before)
