"""What is wanted of a prediction."""

from dataclasses import dataclass

LEAST_SCORE = 0.5  # of an object with a mask


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is written, and what differs from how the run was scored."""

    threshold: float | None = None  # None: the run's own, per network
    least_score: float | None = None  # of an object that is drawn; None: see `Objects`
    classes: tuple[str, ...] = ()  # shown; (): all
    overlay: bool = True
    probabilities: bool = False
    batch_size: int | None = None  # pictures at a time; None: as the run was scored
    overwrite: bool = False
