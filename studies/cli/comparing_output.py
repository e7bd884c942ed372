"""A comparison of two studies as tables for people and as JSON for programs."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reports.notation import join_words, macs
from reports.several.comparison import Comparison
from reports.several.facts import Found, StudyFacts
from reports.several.wording import difference_text
from trackers.costs import Costs

HOUR_S, KWH_J = 3600.0, 3.6e6


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print the settings that differ, the winners, the difference and the costs."""
    sides = comparison.first, comparison.second
    settings = _table("asked differently", sides)
    for path, values in comparison.settings.items():
        settings.add_row(escape(path), *(escape(json.dumps(value)) for value in values))
    if comparison.settings:
        console.print(settings)
    console.print(_winners(sides))
    console.print(_costs(sides))
    for line in _conclusions(comparison):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def comparison_json(comparison: Comparison) -> str:
    """Write it as JSON; the fields are those that `visionstudy compare --help` names."""
    content = asdict(comparison) | {"is_equal_compute": comparison.is_equal_compute}
    return json.dumps(content, indent=2)


def _table(title: str, sides: tuple[StudyFacts, StudyFacts]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for side in sides:
        table.add_column(escape(side.name), overflow="fold")
    return table


def _winners(sides: tuple[StudyFacts, StudyFacts]) -> Table:
    table = _table("winners", sides)
    found = [{(each.stage, each.group): each for each in side.found} for side in sides]
    for key in dict.fromkeys((*found[0], *found[1])):
        name = f"{key[0]} ({key[1]})" if key[1] else key[0]
        table.add_row(escape(name), *(escape(_winner(each.get(key))) for each in found))
    for name in dict.fromkeys((*sides[0].test, *sides[1].test)):
        values = [side.test.get(name) for side in sides]
        table.add_row(escape(name), *("" if v is None else f"{v:.4f}" for v in values))
    return table


def _winner(found: Found | None) -> str:
    if found is None:
        return ""
    interval = "" if found.low is None else f" [{found.low:.4f}, {found.high:.4f}]"
    return f"{found.label}: {found.mean:.4f}{interval}"


def _costs(sides: tuple[StudyFacts, StudyFacts]) -> Table:
    table = _table("took", sides)
    spent = [side.spent for side in sides]
    table.add_row("cells trained", *(str(each.cells) for each in spent))
    costs = [each.costs for each in spent]
    table.add_row("attempts", *(str(each.trials) for each in costs))
    table.add_row("epochs", *(f"{each.epochs:,}" for each in spent))
    table.add_row("multiply-accumulates", *(macs(each.train_macs) for each in spent))
    table.add_row("hours on a device", *(f"{each.device_s / HOUR_S:.2f}" for each in costs))
    if any(each.energy_j is not None for each in costs):
        table.add_row("energy", *(_energy(each) for each in costs))
    if any(each.money is not None for each in costs):
        table.add_row("money", *(_money(each) for each in costs))
    table.add_row("looks at the test split", *(str(side.test_looks) for side in sides))
    return table


def _energy(costs: Costs) -> str:
    return "" if costs.energy_j is None else f"{costs.energy_j / KWH_J:.2f} kWh"


def _money(costs: Costs) -> str:
    return "" if costs.money is None else f"{costs.money:.2f} {costs.currency}"


def _conclusions(comparison: Comparison) -> Iterator[str]:
    first, second = comparison.first, comparison.second
    for side in (first, second):
        if not side.is_finished:
            yield f"study '{side.name}' is not finished: its numbers may change"
    for objection in comparison.objections:
        yield f"not to be compared: {objection}"
    if comparison.difference is not None:
        yield (
            f"{second.metric} of '{second.name}' minus that of '{first.name}': "
            f"{difference_text(comparison.difference)}"
        )
    if comparison.cautions and not comparison.objections:
        yield f"with care: their winners have {join_words(comparison.cautions)}"
    yield _compute(comparison)


def _compute(comparison: Comparison) -> str:
    ratio = comparison.compute_ratio
    if ratio is None:
        return "compute: not known of both"
    if comparison.is_equal_compute:
        return f"equal compute: '{comparison.second.name}' took {ratio:.2f} times as much"
    return f"not at equal compute: '{comparison.second.name}' took {ratio:.2f} times as much"
