"""What the page about a learning-rate range test reads."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateRecord:
    """The losses of one configuration while its learning rate grew, and what they suggest."""

    study: str
    task: str
    configuration: str  # which of the study's: "base settings", "stage 'batch size', ..."
    settings: tuple[tuple[str, str], ...]  # name, value: what the curve depends on
    rates: tuple[float, ...]  # of each step, ascending
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    window: int  # steps on each side of one that its smoothed loss is a mean over
    steps: int  # that were planned
    has_exploded: bool
    suggested: "SuggestedRecord | None"  # None: the loss does not fall clearly


@dataclass(frozen=True, slots=True)
class SuggestedRecord:
    """Learning rates worth a try."""

    steepest: float
    tenth: float
    least_at: float
    low: float
    high: float
    still_falls: bool
