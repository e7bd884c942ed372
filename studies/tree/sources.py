"""What a study's cells hang on beside its settings and results."""

from collections.abc import Callable
from dataclasses import dataclass

from data_pipeline.settings import DataSettings
from studies.spec.schema import CellSettings
from studies.tree.cells import no_start
from studies.tree.judging import ImageDifference


@dataclass(frozen=True, slots=True)
class Sources:
    """Looks at what lies on disk."""

    data_fingerprint: Callable[[DataSettings], str]  # of the data
    start_fingerprint: Callable[[CellSettings], str] = no_start  # of weights; "" without any
    image_difference: ImageDifference | None = None  # where decisions are over images
