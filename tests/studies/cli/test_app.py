"""The command line as a whole: quick, and clear about the order of work."""

import resource
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version

import pytest
from typer.testing import Result

from studies.cli.reading import fail

Visionstudy = Callable[..., Result]
LISTS_MODULES = """
import sys
from studies.cli.app import app
try:
    app(["--help"])
finally:
    print("loaded", *sorted(m for m in sys.modules if "." not in m))
"""


def test_help_teaches_the_order_of_work(visionstudy: Visionstudy) -> None:
    text = visionstudy("--help").output

    steps = [
        text.index(f"\n    {verb} ") for verb in ("validate", "plan", "launch", "report", "ui")
    ]
    assert steps == sorted(steps)
    assert "visionstudy launch studies/library/quickstart.yaml --workers 2\n" in text


def test_help_says_what_a_verb_does_in_a_whole_sentence(visionstudy: Visionstudy) -> None:
    verbs = visionstudy("--help").output.partition("Commands:")[2].partition("Examples:")[0]

    assert len(verbs.split("\n")) > 20
    assert [line for line in verbs.split("\n") if line.strip() and not line.endswith(".")] == []
    assert "..." not in verbs


def test_help_says_what_a_cell_is(visionstudy: Visionstudy) -> None:
    for verb in ([], ["status"], ["why"]):
        text = " ".join(visionstudy(*verb, "--help").output.split())
        assert "cell is one configuration with one seed" in text


def test_arguments_have_names_of_their_own(visionstudy: Visionstudy) -> None:
    assert "{STUDY} [CELL]...\n" in visionstudy("retry", "--help").output
    assert "{FIRST} {SECOND}\n" in visionstudy("compare", "--help").output


def test_version_is_that_of_the_distribution(visionstudy: Visionstudy) -> None:
    assert visionstudy("--version").output == f"visionstudy {version('visionstudy')}\n"


def test_a_refusal_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    fail("no answer from https://hf-hunter2-and-more@host")

    assert capsys.readouterr().err == "no answer from https://***@host\n"


def test_help_loads_nothing_heavy() -> None:
    run = subprocess.run(
        [sys.executable, "-c", LISTS_MODULES], capture_output=True, text=True, check=True
    )

    loaded = set(run.stdout.rpartition("loaded ")[2].split())
    assert "typer" in loaded
    heavy = {"torch", "mlflow", "optuna", "ray", "numpy", "pydantic", "plotly", "pandas"}
    assert loaded & heavy == set()


def test_help_answers_in_half_a_second() -> None:
    code = "from studies.cli.app import main; main()"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    subprocess.run([sys.executable, "-c", code, "--help"], check=True, capture_output=True)

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # CPU seconds: other work on the machine must not fail the test.
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 0.5


def test_an_unknown_verb_ends_with_2(visionstudy: Visionstudy) -> None:
    result = visionstudy("lanch")

    assert result.exit_code == 2
    assert "No such command 'lanch'" in result.output
