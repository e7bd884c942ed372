"""Whether a network can start as its settings say, found out without its values."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from models.freezing import freeze, parameter_groups
from models.session import StartingWeights
from models.settings import TrainingSettings
from models.transfer import fit_weights, read_weights


def check_start(
    build: Callable[[], nn.Module],
    training: TrainingSettings,
    start: StartingWeights | None,
    *,
    class_names: Sequence[str],
) -> None:
    """Build a network on the meta device, and try what the settings name on it.

    Args:
        build: Builds the network.
        training: Says what learns.
        start: What the network starts from; None: nothing of an earlier training.
        class_names: In label order.

    Raises:
        TransferError: A layer is not there, or the weights are not, or are of another network.
    """
    with torch.device("meta"):
        network = build()
    freeze(network, training.transfer)
    parameter_groups(network, training)
    if start is not None:
        fit_weights(network, read_weights(start), start, class_names)
