"""`docs/training.md` tells of every optimizer, parameter and schedule that there is."""

from pathlib import Path
from typing import get_args

from benchmarks.schedule_figure import SCHEDULES, draw, rates
from models.optimizer_settings import OPTIMIZERS_OF, USUAL, Optimizer
from models.schedule_settings import Schedule

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "training.md").read_text(encoding="utf-8")
KINDS = {each.model_fields["name"].annotation: each for each in get_args(get_args(Schedule)[0])}
NAMES = {get_args(literal)[0]: each for literal, each in KINDS.items()}


def test_every_optimizer_and_parameter_is_explained() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert {name for name in get_args(Optimizer) if f"| `{name}`" not in "\n".join(rows)} == set()
    assert {name for name in OPTIMIZERS_OF if f"`{name}" not in PAGE} == set()
    usual = {
        name: f"`{name}`: {value:g}".replace("1e-08", "1e-8") for name, value in USUAL.items()
    }
    assert {n: text for n, text in usual.items() if n != "momentum" and text not in PAGE} == {}


def test_every_schedule_has_a_row_with_all_its_settings() -> None:
    rows = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `")}
    for name, kind in NAMES.items():
        settings = set(kind.model_fields) - {"name"}
        assert {each for each in settings if f"`{each}" not in rows[name]} == set(), name


def test_every_schedule_is_drawn_and_reaches_the_learning_rate() -> None:
    drawn = {settings["schedule"]["name"] for settings in SCHEDULES.values()}
    assert drawn == set(NAMES) - {"constant"}
    for name, settings in SCHEDULES.items():
        assert 0.9 < max(rates(settings)) <= 1, name
        assert min(rates(settings)) < 0.5, name


def test_the_figure_is_the_one_on_the_page(tmp_path: Path) -> None:
    """Texts and lines alone: another release of matplotlib may write the rest otherwise."""
    draw(tmp_path / "drawn.svg")
    texts, shown = (
        [line for line in file.read_text(encoding="utf-8").splitlines() if "<!--" in line]
        for file in (tmp_path / "drawn.svg", DOCS / "schedules.svg")
    )
    assert texts == shown
