"""What growing plans and reads: cells before they ran, and what came of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from studies.spec.schema import CellSettings
from trackers.records import Outcome


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """One configuration and one seed, with an identity that says what it would measure."""

    id: str
    settings: CellSettings
    seed: int
    group: str
    source: str | None  # a cell whose saved predictions are re-scored; None: trained
    fold: int | None = None  # of a cross-validated study; None: the data are cut once

    @property
    def trained(self) -> str:
        """The cell whose weights it is about: its own, or its source's."""
        return self.source or self.id


@dataclass(frozen=True, slots=True)
class CellResult:
    """What growing needs to know of a cell that ended."""

    outcome: Outcome
    metrics: Mapping[str, float]
    train_macs: float
    seconds: float
    source: str | None  # the cell whose predictions were re-scored; None: trained


def no_start(settings: CellSettings) -> str:
    """Fingerprint what a cell starts from, of cells that start from no earlier run.

    Raises:
        ValueError: It does start from one.
    """
    transfer = settings.training.transfer
    if transfer is not None and transfer.init_from is not None:
        raise ValueError(
            f"what {transfer.init_from!r} stands for must be known to name a cell that starts "
            "from it; give `grow` a start_fingerprint"
        )
    return ""
