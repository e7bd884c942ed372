"""What a network starts from: random or pretrained weights, then those of an earlier training."""

import logging
from collections.abc import Sequence
from typing import Any

from torch import nn

from models.named_layers import TransferError
from models.session import TrainingSession
from models.transfer import carry_over, class_rows_of, require_no_frozen_noise
from models.workbench import load_pretrained

logger = logging.getLogger(__name__)


def load_start(
    network: nn.Module, session: TrainingSession, class_names: Sequence[str]
) -> dict[str, Any]:
    """Give a new network the weights that its session names; return what they were.

    Args:
        network: Just built.
        session: Says what to start from.
        class_names: Of the network, in label order.

    Returns:
        "pretrained" and "transfer", as JSON; [] and None where there is no such thing.

    Raises:
        PretrainedWeightsError: Pretrained weights cannot be had.
        TransferError: Those of an earlier training cannot be had, or do not fit.
        OSError: The disk is full.
    """
    pretrained = load_pretrained(network, session.model)
    start, transfer = session.start, session.training.transfer
    if start is None and transfer is not None and transfer.init_from is not None:
        raise TransferError(
            f"a training that starts from {transfer.init_from} must be given its weights, got "
            "none; this is a fault of the program, not of the study"
        )
    if start is None:
        return {"pretrained": pretrained, "transfer": None}
    fit = carry_over(network, start, class_names)
    if not pretrained:
        require_no_frozen_noise(network, fit)
    found = fit.describe()
    of_classes = {rows.layer for rows in class_rows_of(network)}
    if fresh := [layer for layer in found["new_layers"] if layer not in of_classes]:
        logger.warning(
            "%s has nothing for %s, which start anew",
            start.name,
            ", ".join(fresh),
            extra={"topic": f"layers that {start.name} lacks"},
        )
    facts = {"init_from": start.name, "file": start.file.name, "sha256": start.sha256}
    return {"pretrained": pretrained, "transfer": {**facts, **found}}
