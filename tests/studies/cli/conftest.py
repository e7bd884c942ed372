"""Run `visionstudy` inside the test's own process."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from studies.cli.app import app


@pytest.fixture
def visionstudy() -> Callable[..., Result]:
    """Return a function that runs a verb: `visionstudy("models", "list")`."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return run
