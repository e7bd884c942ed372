"""The weights of the best epoch, as `best-<epoch>.pt`, kept in step with the checkpoints.

They are written before the checkpoint that names their epoch, and older ones are deleted after
it: whichever checkpoint survives a kill, its best weights are there, here or in the folder of an
earlier attempt.
"""

from pathlib import Path

from torch import nn

from models.checkpoints import copy_atomically
from models.session import TrainingSession
from models.workbench import save_weights


def best_name(epoch: int) -> str:
    """Return the file name of an epoch's weights."""
    return f"best-{epoch}.pt"


def save_best(folder: Path, model: nn.Module, epoch: int) -> None:
    """Write the weights of an epoch that is better than all before."""
    save_weights(model, folder / best_name(epoch))


def bring_best(session: TrainingSession, epoch: int) -> bool:
    """Have the weights of `epoch` in this attempt's folder; return whether they were found."""
    for folder in (session.folder, *session.earlier_folders):
        file = folder / best_name(epoch)
        if file.is_file():
            if folder != session.folder:
                copy_atomically(file, session.folder / file.name)
            return True
    return False


def drop_other_best(session: TrainingSession, *epochs: int) -> None:
    """Delete all best weights but those of `epochs`, in earlier attempts' folders too."""
    kept = {session.folder / best_name(epoch) for epoch in epochs}
    for folder in (session.folder, *session.earlier_folders):
        for file in folder.glob("best-*.pt"):
            if file not in kept:
                file.unlink(missing_ok=True)
