"""The planted landscape of the scripted trainer `noop`: what a configuration scores; torch-free.

    score = 0.9 - 0.1 * sum |log10(value / optimum)| + seed's noise + noise

With an interaction the optimum of one setting moves with the value of another.
"""

import math
import random
from collections.abc import Callable

from models.noop_settings import NoopSettings

TOP_SCORE = 0.9
DECADE_COST = 0.1


def planted_score(
    settings: NoopSettings,
    value_of: Callable[[str], float | None],
    *,
    seed: int,
    identity: str,
) -> float:
    """Score a training, before any threshold takes from it; unclipped.

    Args:
        settings: The landscape.
        value_of: Returns a setting's value; None where it is not set.
        seed: Of the training.
        identity: Of configuration and seed; the same one has the same noise.
    """
    score = TOP_SCORE
    for name, best in _optimum(settings, value_of).items():
        value = None if name == "threshold" else value_of(name)
        if value is not None:
            score -= DECADE_COST * abs(math.log10(value / best))
    if settings.seed_noise:
        score += random.Random(f"seed {seed}").gauss(0.0, settings.seed_noise)
    if settings.noise:
        score += random.Random(identity).gauss(0.0, settings.noise)
    return score


def _optimum(settings: NoopSettings, value_of: Callable[[str], float | None]) -> dict[str, float]:
    """Return the best value of each setting, where one moves with another as it does here."""
    if settings.interaction is None:
        return settings.optimum
    moved, by = settings.interaction.of
    value = value_of(by)
    away = 1.0 if value is None else value / settings.optimum[by]
    best = settings.optimum[moved] * away**settings.interaction.strength
    return {**settings.optimum, moved: best}
