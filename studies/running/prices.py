"""What an hour of a GPU costs: a table of cloud prices as data, and the study's own rows.

Shipped rows are what providers asked at a date; `budget.prices` names a file with rows of one's
own (the price of one's electricity, a contract), which come first. A GPU that no row names has no
price: its trials cost no money that anybody knows, and a limit of money on it is refused.
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from studies.spec.budget_schema import Budget

PRICES_FILE = Path(__file__).with_name("gpu_prices.csv")
COLUMNS = ("gpu", "provider", "price_per_hour", "currency", "date", "source")
# Words of NVML's names that say nothing of the model, and those that make it another model.
MAKERS = frozenset({"nvidia", "tesla", "geforce", "quadro", "graphics", "gpu"})
OTHER_MODELS = frozenset({"ti", "super", "laptop", "mobile", "max", "ada", "generation", "mig"})
_WORD = re.compile(r"[a-z0-9.]+")


class PriceError(ValueError):
    """A price table cannot be read, or a limit cannot be measured."""


@dataclass(frozen=True, slots=True)
class Price:
    """A row of a price table."""

    gpu: str
    provider: str
    per_hour: float
    currency: str
    date: str
    source: str


def prices_for(budget: Budget) -> tuple[Price, ...]:
    """Return the rows that a study's money is counted by, its own first.

    Raises:
        PriceError: its own table cannot be read, or no row is of `budget.provider`.
    """
    shipped = read_prices(PRICES_FILE)
    own = read_prices(Path(budget.prices)) if budget.prices is not None else ()
    rows = (*own, *shipped)
    if budget.provider is None:
        return rows
    found = tuple(row for row in rows if row.provider == budget.provider)
    if not found:
        names = sorted({row.provider for row in rows})
        close = get_close_matches(budget.provider, names, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        raise PriceError(
            f"budget.provider must be one of {', '.join(names)}, got {budget.provider!r}{meant}"
        )
    return found


def price_of(device: str, budget: Budget) -> Price | None:
    """Return the price of a device, such as "cuda:0 NVIDIA H200" or "cpu"; None: unknown.

    Of the rows that name it most closely one's own comes first, then the cheapest above 0.
    """
    fitting = rows_naming(device, prices_for(budget))
    own = [row for row in fitting if budget.prices and row in read_prices(Path(budget.prices))]
    if own:
        return own[0]
    paid = [row for row in fitting if row.per_hour > 0 or budget.provider is not None]
    return min(paid, key=lambda row: row.per_hour, default=None)


@cache
def read_prices(file: Path) -> tuple[Price, ...]:
    """Read a price table.

    Raises:
        PriceError: it is missing, or a row of it is wrong; the message says which.
    """
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise PriceError(f"budget.prices must name a readable CSV, got {file}: {error}") from error
    if not rows or not set(COLUMNS) <= rows[0].keys():
        raise PriceError(f"{file} must have rows with the columns {', '.join(COLUMNS)}")
    return tuple(_price(row, f"{file}:{line}") for line, row in enumerate(rows, start=2))


def _price(row: dict[str, str], place: str) -> Price:
    try:
        per_hour = float(row["price_per_hour"])
    except (TypeError, ValueError):
        per_hour = -1.0
    if not (0 <= per_hour < float("inf")) or not row["gpu"] or not row["currency"]:
        raise PriceError(
            f"{place}: a row must have a gpu, a currency and a price of at least 0, got {row}"
        )
    return Price(
        row["gpu"], row["provider"], per_hour, row["currency"], row["date"], row["source"]
    )


def rows_naming(device: str, rows: Iterable[Price]) -> list[Price]:
    """Return the rows that name a device most closely: of "V100 32GB", not those of "V100"."""
    words = _words(device)
    fitting = [row for row in rows if _names(row, words)]
    closest = max((len(_words(row.gpu)) for row in fitting), default=0)
    return [row for row in fitting if len(_words(row.gpu)) == closest]


def _names(row: Price, device: frozenset[str]) -> bool:
    """Tell whether a row is of a device: all its words are, and none makes it another model."""
    words = _words(row.gpu)
    return words <= device and not (device - words) & OTHER_MODELS


def _words(name: str) -> frozenset[str]:
    """Return what tells a model from others: {"rtx", "2060"}, {"a100", "80gb"}."""
    text = re.sub(r"^cuda:\S+\s+", "", name.lower()).replace(" gb", "gb")
    return frozenset(_WORD.findall(text)) - MAKERS
