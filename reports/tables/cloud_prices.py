"""What would the study have cost at other providers? Prices per hour, and money where it is known.

Hours are known for the GPUs that the study ran on. How long another GPU would have taken nobody
measured, so no money is told for it; what is told is how many times as fast it has to be to cost
no more. The thesis compares providers in its Figure 6-1, a picture whose prices are not in its
text; what the text does say of it are free hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from trackers.costs import costs_of
from trackers.price_records import PriceRecord
from trackers.records import StudyRecord, TrialRecord

HOUR_S = 3600.0
OF_THESIS = "thesis"


@dataclass(frozen=True, slots=True)
class CloudPrice:
    """One GPU at one provider."""

    gpu: str
    provider: str
    per_hour: float
    currency: str
    date: str
    source: str
    hours: float | None  # that the study held this GPU; None: it never did
    money: float | None  # of these hours
    as_fast: float | None  # as the study's GPU, to cost no more; None: unknown, or it is that GPU

    @property
    def is_of_thesis(self) -> bool:
        """Whether the thesis names it."""
        return self.source.startswith(OF_THESIS)


@dataclass(frozen=True, slots=True)
class CloudPrices:
    """The price table beside the study, by price."""

    rows: tuple[CloudPrice, ...]
    devices: tuple[str, ...]  # that the study ran on
    reference: CloudPrice | None  # the cheapest paid hour of the GPU that was held longest

    @property
    def priced(self) -> tuple[CloudPrice, ...]:
        """Those whose money for this study is known."""
        return tuple(row for row in self.rows if row.money is not None)


def cloud_prices(study: StudyRecord) -> CloudPrices | None:
    """Set the price table beside the study.

    None where it has nothing to do with it: the study ran on no GPU and cites no thesis.
    """
    trials = [trial for cell in study.cells.values() for trial in cell.trials]
    devices = tuple(sorted({trial.device for trial in trials if trial.ended_at is not None}))
    has_gpu = any(device.startswith("cuda") for device in devices)
    if not study.prices or not (has_gpu or any(OF_THESIS in name for name in study.baselines)):
        return None
    hours = [_hours(trials, each.devices) for each in study.prices]
    reference = _reference(study.prices, hours)
    rows = [_row(each, held, reference) for each, held in zip(study.prices, hours, strict=True)]
    rows.sort(key=lambda row: (row.per_hour, row.gpu, row.provider))
    own = next((row for row in rows if reference is not None and _is(row, reference)), None)
    return CloudPrices(tuple(rows), devices, own)


def _hours(trials: Sequence[TrialRecord], devices: Sequence[str]) -> float | None:
    held = [trial for trial in trials if trial.device in devices]
    return costs_of(held).device_s / HOUR_S if held else None


def _reference(prices: Sequence[PriceRecord], hours: Sequence[float | None]) -> PriceRecord | None:
    """Return the cheapest paid row of the GPU that was held longest."""
    longest = max((held for held in hours if held is not None), default=None)
    own = [
        price
        for price, held in zip(prices, hours, strict=True)
        if held is not None and held == longest and price.per_hour > 0
    ]
    return min(own, key=lambda price: price.per_hour, default=None)


def _row(price: PriceRecord, hours: float | None, reference: PriceRecord | None) -> CloudPrice:
    is_comparable = (
        reference is not None
        and hours is None
        and price.per_hour > 0
        and price.currency == reference.currency
    )
    return CloudPrice(
        gpu=price.gpu,
        provider=price.provider,
        per_hour=price.per_hour,
        currency=price.currency,
        date=price.date,
        source=price.source,
        hours=hours,
        money=None if hours is None else hours * price.per_hour,
        as_fast=price.per_hour / reference.per_hour if is_comparable and reference else None,
    )


def _is(row: CloudPrice, price: PriceRecord) -> bool:
    return (row.gpu, row.provider, row.per_hour, row.date) == (
        price.gpu,
        price.provider,
        price.per_hour,
        price.date,
    )
