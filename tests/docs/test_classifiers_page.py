"""The page of networks of classification, against the networks."""

from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML

from models.classification.catalog import CLASSIFIERS
from models.cost import count_parameters
from models.resolve import resolve
from models.settings import ModelSettings

PAGE = Path(__file__).parents[2] / "docs" / "classifiers.md"
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in PAGE.read_text().splitlines()
    if line.startswith("| `") and "| Variants |" not in line
]


def settings_of(row: list[str]) -> ModelSettings:
    name = row[0].strip("`")
    values = YAML(typ="safe").load(row[1].strip("`")) if row[1] else {}
    return CLASSIFIERS[name].settings.model_validate({"name": name, **values})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}".strip())
def test_a_row_says_weights_least_side_and_whether_it_may_be_pretrained(row: list[str]) -> None:
    settings = settings_of(row)
    entry = CLASSIFIERS[settings.name]
    with torch.device("meta"):
        network = resolve(str(entry.builder))(settings, 1000)
    assert f"{count_parameters(network):,}" == row[2]
    least = int(row[3].split()[0])
    assert entry.size_rule(settings, least) is None
    assert entry.size_rule(settings, least - 1) is not None
    can_load = entry.pretrain is not None and getattr(settings, "form", None) in (
        None,
        "torchvision",
    )
    assert (row[4] != "none") == can_load


def test_every_network_is_on_the_page() -> None:
    text = PAGE.read_text()
    assert [name for name in CLASSIFIERS if f"`{name}`" not in text] == []
