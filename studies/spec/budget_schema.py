"""What a study may use, as its file says it: `budget`."""

from typing import Annotated, TypeAlias

from pydantic import Field

from models.frozen_settings import FrozenSettings

DURATION = r"^\d+(\.\d+)?(s|m|h|d)$"
Duration: TypeAlias = Annotated[
    str, Field(pattern=DURATION, description="A number and s, m, h or d.")
]
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration_s(text: str) -> float:
    """Return the seconds of a `Duration` such as '90s', '1.5h' or '2d'."""
    return float(text[:-1]) * SECONDS[text[-1]]


class TrialBudget(FrozenSettings):
    """Most that one cell may use, over all its attempts; then it is scored as it is."""

    epochs: int | None = Field(
        None, ge=1, description="Epochs; the schedule of the learning rate does not know of it."
    )
    steps: int | None = Field(None, ge=1, description="Optimizer steps.")
    images: int | None = Field(None, ge=1, description="Training images, as often as seen.")
    time: Duration | None = Field(
        None, description="Training time; when it is up the epoch ends and the cell is scored."
    )
    gpu_hours: float | None = Field(
        None, gt=0, description="Training time times GPUs held; a shared GPU counts by its share."
    )
    money: float | None = Field(
        None, gt=0, description="Price of those GPU-hours, in the currency of the price table."
    )
    energy_kwh: float | None = Field(
        None, gt=0, description="Energy that the GPUs took while training, as they count it."
    )
    silence: Duration = Field(
        "30m", description="A trial that takes no step for so long hangs, and is ended."
    )


class StudyBudget(FrozenSettings):
    """Most that the study may use; cells left over are shown as not run."""

    epochs: int | None = Field(None, ge=1, description="Epochs, summed over all cells.")
    steps: int | None = Field(None, ge=1, description="Optimizer steps, summed over all cells.")
    images: int | None = Field(None, ge=1, description="Training images, summed over all cells.")
    time: Duration | None = Field(None, description="Wall time, summed over all launches.")
    gpu_hours: float | None = Field(
        None, gt=0, description="Hours of trials on a device (GPU, or CPU worker), summed."
    )
    money: float | None = Field(
        None, gt=0, description="Price of those hours, in the currency of the price table."
    )
    energy_kwh: float | None = Field(
        None, gt=0, description="Energy that the GPUs took, as they count it, summed."
    )


class Budget(FrozenSettings):
    """Limits; null fields are unlimited."""

    per_trial: TrialBudget = Field(default_factory=TrialBudget, description="Per cell.")
    study: StudyBudget = Field(default_factory=StudyBudget, description="For all cells.")
    prices: str | None = Field(
        None,
        description="CSV of your own prices: gpu, provider, price_per_hour, currency, date, "
        "source; its rows come before those of `visionstudy`.",
    )
    provider: str | None = Field(
        None, description="Whose prices count; null: the cheapest price above 0 of each GPU."
    )
