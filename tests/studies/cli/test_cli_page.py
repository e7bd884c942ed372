"""`docs/cli.md` lists the verbs that there are."""

import re
from pathlib import Path

import typer

from studies.cli.app import app

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def test_every_verb_is_in_the_table_and_no_other() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    cells = [row.split("|")[1] for row in rows]
    listed = {name.split()[0] for cell in cells for name in re.findall(r"`([^`]+)`", cell)}

    assert listed == set(typer.main.get_group(app).commands)
