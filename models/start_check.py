"""Whether a network can start as its settings say, found out without its values."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from models.freezing import freeze, parameter_groups
from models.pretrained import rehearsal
from models.session import StartingWeights
from models.settings import ModelSettings, TrainingSettings
from models.starting import put_start


def check_start(
    build: Callable[[], nn.Module],
    model: ModelSettings,
    training: TrainingSettings,
    start: StartingWeights | None,
    *,
    class_names: Sequence[str],
) -> None:
    """Build a network on the meta device, and try what the settings name on it.

    Args:
        build: Builds the network.
        model: Its settings, which say what it is pretrained on; nothing is downloaded.
        training: Says what learns.
        start: What the network starts from; None: nothing of an earlier training.
        class_names: In label order.

    Raises:
        TransferError: A layer is not there, or the weights are not, or are of another network; or
            random weights would be kept as they are, or scored.
    """
    with torch.device("meta"):
        network = build()
    freeze(network, training.transfer)
    parameter_groups(network, training)
    with rehearsal():
        put_start(network, model, training, start, class_names=class_names)
