"""What the ranks of a training draw: dropout, anchors, regions; each rank something else.

The first one draws what a training in one process would.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.determinism import restore_random_state, seed_everything
from models.session import TrainingSession


def seed_rank(session: TrainingSession, *, epoch: int = 0, step: int = 0) -> None:
    """Let a rank that is not the first one draw its own from here on."""
    rank = session.ranks.rank
    if rank:
        words = np.random.SeedSequence([session.seed, rank, epoch, step])
        seed_everything(int(words.generate_state(1)[0]))


def restore_rank(
    state: Mapping[str, Any], session: TrainingSession, *, epoch: int, step: int
) -> None:
    """Go on drawing where this rank stopped; one that was not there draws something new.

    Args:
        state: Of a checkpoint, whose "random" is the first rank's.
        session: Of this attempt.
        epoch: Finished ones.
        step: Of the epoch under way.
    """
    states = [state["random"], *state.get("random_of_others", ())]
    rank = session.ranks.rank
    if rank < len(states):
        restore_random_state(states[rank])
    else:
        seed_rank(session, epoch=epoch, step=step)
