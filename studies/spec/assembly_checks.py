"""What must hold where networks of single classes are put together."""

from collections.abc import Iterator, Sequence

from models.catalog import MODELS
from studies.spec.draft import Draft
from studies.spec.problems import Finding, Loc

HERE: Loc = ("assembly",)
TASK = "semantic_segmentation"  # what can be put together pixel by pixel


def assembly_findings(draft: Draft, classes: Sequence[str] | None) -> Iterator[Finding]:
    """Check models of single classes, and what is to be done with them.

    Args:
        draft: The study as far as it could be read.
        classes: What the study trains on; None where that cannot be told.
    """
    if draft.data is None or not draft.is_certain("data", "one_model_per_class"):
        return
    per_class = draft.data.one_model_per_class
    if per_class and not draft.data.classes and draft.is_certain("data", "classes"):
        message = "needs the classes that get a model each; name them in data.classes"
        yield Finding(("data", "one_model_per_class"), message)
    if draft.values.get("assembly") is None:
        return
    if not per_class:
        message = (
            "'assembly' puts networks of single classes together; "
            "set data.one_model_per_class: true, or remove it"
        )
        yield Finding(HERE, message, on_key=True)
    elif classes is not None and len(classes) == 1:
        message = f"'assembly' needs at least two classes, got {classes[0]} alone; remove it"
        yield Finding(HERE, message, on_key=True)
    yield from _network_findings(draft)


def _network_findings(draft: Draft) -> Iterator[Finding]:
    """There must be networks that say something of every pixel."""
    if draft.task not in (None, TASK):
        message = f"task {draft.task} has nothing to put together pixel by pixel; remove it"
        yield Finding(HERE, message, on_key=True)
    elif draft.model is not None and MODELS[draft.model.name].builder is None:
        message = f"model '{draft.model.name}' has no network to put together; remove 'assembly'"
        yield Finding(HERE, message, on_key=True)
