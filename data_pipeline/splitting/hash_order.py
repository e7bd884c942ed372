"""Orders that look random and are the same on every machine and in every release."""

from collections.abc import Iterable
from hashlib import blake2b


def rank(name: str, seed: int, purpose: str) -> tuple[bytes, str]:
    """Return a sort key for a name; two purposes or seeds give unrelated orders."""
    return blake2b(f"{purpose}/{seed}/{name}".encode(errors="surrogateescape")).digest(), name


def shuffled(names: Iterable[str], seed: int, purpose: str) -> list[str]:
    """Order names by their rank."""
    return sorted(names, key=lambda name: rank(name, seed, purpose))
