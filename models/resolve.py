"""Turn the catalogs' `module:function` strings into functions."""

from importlib import import_module
from typing import Any


def resolve(target: str) -> Any:  # noqa: ANN401  # the caller knows which catalog field it resolved
    """Import the module of `module:function` and return the function.

    Raises:
        ImportError: there is no such module, or it holds no such function.
    """
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except AttributeError as error:
        raise ImportError(
            f"catalog entry {target!r} must name a function: {module} has no {name!r}"
        ) from error
