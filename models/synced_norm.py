"""Batch normalisation over the images of all ranks, as if one process had them."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm  # the base that torch's own converter asks for

from models.ranks import Ranks

SYNCED = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class RanksError(ValueError):
    """This cannot be trained by several processes."""


def is_normalised(network: nn.Module) -> bool:
    """Whether what a network does to an image depends on the batch that it is in."""
    return any(isinstance(each, _BatchNorm) for each in network.modules())


def normalised_over(
    network: nn.Module, ranks: Ranks, *, batch_size: int, has_gpus: bool
) -> nn.Module:
    """Let a network's batch normalisation see the images of all ranks; return the network.

    Raises:
        RanksError: That is not possible.
    """
    require_ranks(network, ranks.count, batch_size=batch_size, has_gpus=has_gpus)
    if ranks.count == 1 or not is_normalised(network):
        return network
    synced: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return synced


def require_ranks(network: nn.Module, count: int, *, batch_size: int, has_gpus: bool) -> None:
    """Make sure that a network trains in several processes as it does in one.

    Args:
        network: On any device, also "meta".
        count: Processes.
        batch_size: Images of all of them.
        has_gpus: Whether each process has one.

    Raises:
        RanksError: It does not, with the reason.
    """
    if count == 1 or not is_normalised(network):
        return
    name = type(network).__name__
    if not has_gpus:
        raise RanksError(
            f"a network trained by {count} processes on the CPU must have no batch normalisation, "
            f"whose statistics are shared between GPUs only, got {name}; use one process, or GPUs"
        )
    kinds = {type(each) for each in network.modules() if isinstance(each, _BatchNorm)}
    if own := sorted(kind.__name__ for kind in kinds - set(SYNCED) - {nn.SyncBatchNorm}):
        raise RanksError(
            f"a network trained by {count} processes must normalise by layers of torch, got "
            f"{', '.join(own)} in {name}, whose statistics are not shared; use one process"
        )
    if batch_size % count:
        raise RanksError(
            f"with batch normalisation training.batch_size must be a multiple of the {count} "
            f"processes, got {batch_size}; choose another, or another number of processes"
        )
