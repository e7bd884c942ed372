"""What a network learns from, as the log beside its weights says it: so both can be moved."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from data_pipeline.settings import Split


class LearntData(TypedDict):
    """What tells whether two trainings had to do with the same images."""

    dataset: str
    root: str  # absolute, without links; "" where the dataset lies in no folder of the user's
    split: dict[str, Any]


def learnt_data(data: Mapping[str, Any]) -> LearntData:
    """Take what counts out of a cell's `data`, however its folder is spelt."""
    root = data.get("root")
    return {
        "dataset": str(data["dataset"]),
        "root": "" if root is None else str(Path(root).expanduser().resolve()),
        "split": Split.model_validate(data.get("split", {})).model_dump(mode="json"),
    }
