"""The samplers that a study file may name, each seeded by where it is asked."""

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import optuna
from optuna.samplers import BaseSampler

MOST_POPULATION = 50  # of NSGA-II
GENERATIONS = 5  # that its trials should suffice for


@dataclass(frozen=True, slots=True)
class Ask:
    """What a sampler is made for."""

    seed: int
    trials: int = 0  # of the whole search; 0: nobody knows
    is_conditional: bool = False  # settings are there only with some choices


# Name -> builder. QMC is drawn as a whole sequence, see `stage_search`; a grid needs no sampler.
SAMPLERS: Mapping[str, Callable[[Ask], BaseSampler]] = {
    "random": lambda ask: optuna.samplers.RandomSampler(seed=ask.seed),
    "gp": lambda ask: optuna.samplers.GPSampler(seed=ask.seed),
    "cmaes": lambda ask: optuna.samplers.CmaEsSampler(
        seed=ask.seed, warn_independent_sampling=False
    ),
    "nsga2": lambda ask: optuna.samplers.NSGAIISampler(
        seed=ask.seed, population_size=_population(ask.trials)
    ),
    "tpe": lambda ask: optuna.samplers.TPESampler(
        seed=ask.seed,
        multivariate=True,
        constant_liar=True,
        group=ask.is_conditional,
    ),
    "qmc": lambda ask: optuna.samplers.QMCSampler(
        scramble=True, seed=ask.seed, warn_independent_sampling=False
    ),
}
# They note with every trial which generation it belongs to, so that a search that is built anew
# asks them again for what the ledger holds.
EVOLVING = ("cmaes", "nsga2")
# What they propose hangs on no result: all of it can be asked for at once.
FORESEEABLE = ("random", "qmc")
UNCONSTRAINED = ("cmaes",)  # warns of constraints, which it does not look at


def make_sampler(
    name: str, *, search: str, number: int, trials: int = 0, is_conditional: bool = False
) -> BaseSampler:
    """Return a sampler to ask for one proposal of a search.

    Args:
        name: Of the sampler, a key of `SAMPLERS`.
        search: Name of the search.
        number: Of the proposal; every one has its own seed.
        trials: Of the whole search; 0: nobody knows.
        is_conditional: Whether some settings are there only with some choices.
    """
    with _unannounced():
        return SAMPLERS[name](Ask(_seed(search, number), trials, is_conditional))


def _population(trials: int) -> int:
    return max(4, min(MOST_POPULATION, trials // GENERATIONS))


@contextmanager
def _unannounced() -> Iterator[None]:
    """Keep quiet about samplers that Optuna calls experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _seed(name: str, number: int) -> int:
    digest = hashlib.sha256(f"{name}:{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
