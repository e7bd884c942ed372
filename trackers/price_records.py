"""What an hour of a GPU costs somewhere, as a study's reports may say it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PriceRecord:
    """A row of the price table that a study counts money by."""

    gpu: str
    provider: str
    per_hour: float  # at least 0
    currency: str
    date: str  # when it was asked for: "2026-05-07", "2020-07", "undated"
    source: str
    devices: tuple[str, ...] = ()  # of the study's trials, those that the row names
