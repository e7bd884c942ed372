"""What a training starts from must be there, and be something that the model can start from."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

from models.catalog import MODELS
from models.entries import TRAINING_LOOP
from models.pretrained_settings import names_weights
from models.settings import OF_RUN, ModelSettings
from studies.spec.draft import Draft
from studies.spec.problems import Finding
from studies.spec.schema import CellSettings

# Settings and the study's own name -> why they cannot start from what they name; None: they can.
FindStart: TypeAlias = Callable[[CellSettings, str], str | None]
TOUCHING = ("training.transfer", "training.epochs", "model", "data.classes")


class StartFault(NamedTuple):
    """Why a training cannot start as its settings say."""

    path: str  # dotted setting at fault
    message: str


def start_findings(draft: Draft, find_start: FindStart) -> Iterator[Finding]:
    """Check the base settings."""
    if draft.base is None or not draft.is_certain("training", "transfer"):
        return
    fault = start_fault(draft.base, str(draft.values.get("study")), find_start)
    if fault is not None:
        yield Finding(tuple(fault.path.split(".")), fault.message)


def start_fault(settings: CellSettings, study: str, find_start: FindStart) -> StartFault | None:
    """Return what is wrong with what a training starts from, or does without.

    Args:
        settings: Of a cell.
        study: Its name, from which nothing of its own can start.
        find_start: Looks for runs and files.
    """
    transfer, model = settings.training.transfer, settings.model
    source = transfer.init_from if transfer is not None else None
    if transfer is not None and MODELS[model.name].trainer != TRAINING_LOOP:
        return StartFault(
            "training.transfer",
            f"model '{model.name}' has a trainer of its own, which starts from nothing; "
            "remove transfer",
        )
    if transfer is not None and source is None and not names_weights(model):
        return StartFault(
            "training.transfer",
            "transfer needs trained weights; name a study or a file in init_from, "
            "or set model.pretrained",
        )
    if not settings.training.epochs and source is None and not names_weights(model):
        return StartFault(
            "training.epochs",
            "0 epochs score the weights that a network starts from, and these are random; set "
            "training.transfer.init_from or model.pretrained, or train for at least 1 epoch",
        )
    if not settings.training.epochs and source is None and not _knows_classes(model):
        return StartFault(
            "training.epochs",
            "0 epochs score the weights that a network starts from, and pretrained "
            f"'{getattr(model, 'pretrained', '')}' has none for the last layers of "
            f"'{model.name}', which would be random; set training.transfer.init_from or weights "
            "that know the classes (pretrained: coco, where a detector has it), or train for at "
            "least 1 epoch",
        )
    message = find_start(settings, study) if source is not None else None
    return StartFault("training.transfer.init_from", message) if message else None


def _knows_classes(model: ModelSettings) -> bool:
    """Tell whether a model's pretrained weights end in rows of classes that are known by name.

    A trainer of its own may fit the last layers without any epoch, as R-CNN's does.
    """
    entry = MODELS[model.name]
    is_named = str(getattr(model, "pretrained", "")) in entry.pretrained_classes
    return is_named or entry.trainer != TRAINING_LOOP


def missing_file(settings: CellSettings, _study: str) -> str | None:
    """Say that the file of weights is not there; of runs, only a workspace knows."""
    transfer = settings.training.transfer
    source = transfer.init_from if transfer is not None else None
    if source is None or source.startswith(OF_RUN) or Path(source).expanduser().is_file():
        return None
    return (
        f"no file of weights '{source}' (seen from {Path.cwd()}); correct the path, or name a "
        f"study of the workspace as {OF_RUN}NAME"
    )


def find_nothing(_settings: CellSettings, _study: str) -> str | None:
    """Look at no disk."""
    return None
