"""What a plan takes of its budget and of a GPU's memory, as lines for people and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reports.notation import configuration_label
from studies.running.budget_forecast import BudgetLine, CutCells
from trackers.memory_fit import fit_text, telling_settings
from trackers.memory_records import GPU_SIZES_GB, MIB_PER_GB, MemoryRecord

Limits = tuple[Sequence[BudgetLine], Sequence[CutCells]]
Steps = tuple[Sequence[MemoryRecord], Sequence[str]]  # what was found, why others were not


def budget_text(lines: Sequence[BudgetLine], cut: Sequence[CutCells]) -> list[str]:
    """Say of each limit whether the plan fits."""
    return [*map(_line_text, lines), *map(_cut_text, cut)]


def _line_text(line: BudgetLine) -> str:
    of = f"of {line.most:g} {line.unit}".strip()
    if line.planned is None:
        return f"{line.limit}: not estimated, {line.used:.3g} used {of}"
    both = f"{line.used + line.planned:.3g}"
    used = f" ({line.used:.3g} used already)" if line.used else ""
    if line.fits:
        return f"{line.limit}: about {both} {of}{used}"
    return f"{line.limit}: about {both} {of}{used}; {line.left_over} known cells would not run"


def _cut_text(cut: CutCells) -> str:
    return f"{cut.limit}: would end {cut.cells} cells early, which are scored as they are then"


def limits_json(limits: Limits, steps: Steps | None) -> dict[str, Any]:
    """Return what `print_limits` prints as plain types."""
    lines, cut = limits
    found: dict[str, Any] = {
        "budget": [{**asdict(line), "fits": line.fits} for line in lines],
        "cut": [asdict(each) for each in cut],
    }
    if steps is not None:
        found |= {"memory": _memory_json(steps[0]), "memory_problems": list(steps[1])}
    return found


def print_limits(console: Console, limits: Limits, steps: Steps | None) -> None:
    """Print what a plan takes of its budget and, where it was asked for, what fits where."""
    for line in budget_text(*limits):
        console.print(escape(line), highlight=False, soft_wrap=True)
    if steps is not None:
        _print_memory(console, *steps)


def _print_memory(
    console: Console, records: Sequence[MemoryRecord], problems: Sequence[str]
) -> None:
    """Print what fits on which GPU."""
    table = Table(title="memory", title_justify="left", box=None, pad_edge=False)
    table.add_column("settings")
    for title in ("batch", "need", *(f"{size} GB" for size in GPU_SIZES_GB)):
        table.add_column(title, justify="right")
    told = telling_settings(records)
    for record, settings in zip(records, told, strict=True):
        for batch in record.batch_sizes:
            fits = [fit_text(record, batch, size * MIB_PER_GB) for size in GPU_SIZES_GB]
            need = f"{record.need_mb(batch) / MIB_PER_GB:.1f} GB"
            label = escape(configuration_label(settings)) or "all cells"
            table.add_row(label, str(batch), need, *fits)
    console.print(table)
    if records:
        console.print(_how_found(records), highlight=False, soft_wrap=True)
    for problem in problems:
        console.print(f"memory not found: {escape(problem)}", highlight=False, soft_wrap=True)


def _how_found(records: Sequence[MemoryRecord]) -> str:
    """Say how far the numbers can be trusted."""
    if all(record.is_measured for record in records):
        return f"measured by training steps on {records[0].device}, and 0.5 GB for CUDA itself"
    return (
        "counted tensors of training steps on the CPU, and 15 % and 0.5 GB on top for what only "
        "a GPU takes: an estimate"
    )


def _memory_json(records: Sequence[MemoryRecord]) -> list[dict[str, Any]]:
    """Return every settings' memory, and by which its batches are cut on each GPU."""
    return [
        {
            **asdict(record),
            "divisors": {
                str(batch): {
                    f"{size} GB": record.divisor(batch, size * MIB_PER_GB) for size in GPU_SIZES_GB
                }
                for batch in record.batch_sizes
            },
        }
        for record in records
    ]
