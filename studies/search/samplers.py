"""The samplers that a study file may name, each seeded by where it is asked."""

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import optuna
from optuna.samplers import BaseSampler

# Name -> builder from a seed. QMC is drawn as a whole sequence, see `stage_search`.
SAMPLERS: Mapping[str, Callable[[int], BaseSampler]] = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "tpe": lambda seed: optuna.samplers.TPESampler(
        seed=seed, multivariate=True, constant_liar=True
    ),
    "qmc": lambda seed: optuna.samplers.QMCSampler(
        scramble=True, seed=seed, warn_independent_sampling=False
    ),
}


def make_sampler(name: str, *, search: str, number: int) -> BaseSampler:
    """Return a sampler to ask for one proposal of a search.

    Args:
        name: Of the sampler, a key of `SAMPLERS`.
        search: Name of the search.
        number: Of the proposal; every one has its own seed.
    """
    with _unannounced():
        return SAMPLERS[name](_seed(search, number))


@contextmanager
def _unannounced() -> Iterator[None]:
    """Keep quiet about samplers that Optuna calls experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _seed(name: str, number: int) -> int:
    digest = hashlib.sha256(f"{name}:{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
