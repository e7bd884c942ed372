"""What a study must not ask for where its configurations are measured on folds of the data."""

from collections.abc import Iterator

from studies.spec.draft import Draft
from studies.spec.problems import Finding
from studies.spec.search_schema import Search


def fold_findings(draft: Draft) -> Iterator[Finding]:
    """Check what does not go with `data.folds`."""
    if draft.data is None or draft.data.folds is None:
        return
    folds = f"data.folds: {draft.data.folds}"
    search: Search | None = draft.values.get("search")
    if search is not None and search.select.interval == "images":
        message = (
            "intervals over images compare networks on the same images, and with "
            f"{folds} each fold is validated on others; choose seeds, which then means "
            "other folds and seeds"
        )
        yield Finding(("search", "select", "interval"), message)
    if draft.objective is not None and draft.objective.select_on == "test":
        message = (
            f"{folds} validates on every fold in turn, and select_on: test chooses by the one "
            "test split; choose validation, or remove data.folds"
        )
        yield Finding(("objective", "select_on"), message)
    if draft.values.get("assembly") is not None:
        message = (
            "'assembly' puts networks together that learnt from the same images, and with "
            f"{folds} there is one of each class per fold; remove it, or data.folds"
        )
        yield Finding(("assembly",), message, on_key=True)
