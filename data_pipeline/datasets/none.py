"""No data: for models that need none, such as `noop`."""

from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.settings.generated import NoData
from data_pipeline.errors import MissingDataError
from data_pipeline.splitting.splits import SplitName


def check(settings: NoData) -> list[str]:  # noqa: ARG001  # every dataset is asked the same way
    """Find nothing missing."""
    return []


def class_names(settings: NoData) -> tuple[str, ...]:
    """Return the classes the study names: any will do."""
    return tuple(settings.classes)


def label_names(settings: NoData, task: str) -> tuple[str, ...]:  # noqa: ARG001
    """Return the classes the study names."""
    return tuple(settings.classes)


def fingerprint(settings: NoData) -> str:  # noqa: ARG001
    """Return a constant: nothing on disk can change a result."""
    return "none"


def build(settings: NoData, task: str, split: SplitName) -> Dataset:  # noqa: ARG001
    """Refuse: there is nothing to read.

    Raises:
        MissingDataError: Always.
    """
    raise MissingDataError(
        "dataset 'none' holds no images; name a dataset under data.dataset, "
        "or a model that needs no data (noop)"
    )
