"""What `visionstudy baselines` prints: lines of at most 80 characters, or facts for programs."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reports.baselines.citations import Baseline, Verification
from reports.baselines.listing import Summary
from reports.baselines.registry import FIGURES
from reports.notation import metric_name, value_text

WIDTH = 80
INDENT = "    "


def listing_text(found: Sequence[Summary]) -> str:
    """Return a line per name: how many numbers, of what data, of which system."""
    if not found:
        return "no published number is of all that; leave an option out"
    width = max(len(each.name) for each in found)
    count = max(len(str(each.numbers)) for each in found)
    lines = []
    for each in found:
        said = f"{', '.join(each.datasets)}: {', '.join(each.systems)}"
        line = f"{each.name:<{width}}  {each.numbers:>{count}}  {said}"
        lines.append(_cut(line))
    total = sum(each.numbers for each in found)
    lines += ["", f"{total} numbers of {len(found)} names; one of them: baselines show NAME"]
    figures = ", ".join(name.removeprefix("thesis/table-") for name in FIGURES)
    lines += _wrapped(
        f"Tables {figures} of the thesis are pictures of curves: no number of theirs can be "
        "cited, but for those that the text gives of table 16.",
        "",
    )
    return "\n".join(lines)


def summary_facts(each: Summary) -> dict[str, Any]:
    """Return what `baselines list --json` prints of a name."""
    return asdict(each)


def numbers_text(found: Sequence[Baseline]) -> str:
    """Return every number with what is known of it; what all have in common is said once."""
    first = found[0]
    protocols = [_protocol_facts(each) for each in found]
    shared = {k: v for k, v in protocols[0].items() if all(p.get(k) == v for p in protocols)}
    lines = [f"{first.name}: {first.system}"]
    lines += _wrapped("; ".join(dict.fromkeys(each.source for each in found)), "")
    lines += _wrapped(f"all: {_said(shared)}", "") if shared else []
    in_all = [note for note in first.notes if all(note in each.notes for each in found)]
    for note in in_all:
        lines += _wrapped(f"note: {note}", "")
    for each, protocol in zip(found, protocols, strict=True):
        own = {k: v for k, v in protocol.items() if k not in shared}
        lines += ["", *_number_lines(each, own, [n for n in each.notes if n not in in_all])]
    return "\n".join(lines)


def number_facts(each: Baseline) -> dict[str, Any]:
    """Return what `baselines show --json` prints of a number."""
    facts = asdict(each)
    return facts | {"verified": str(each.verified)}


def added_text(file: Path, found: Sequence[Baseline]) -> str:
    """Return what a file of a user's own holds, and how a study uses it."""
    by_name: dict[str, int] = {}
    for each in found:
        by_name[each.name] = by_name.get(each.name, 0) + 1
    lines = [f"{file}: every row is in order"]
    lines += [f"  {name}: {count} number{'s' * (count > 1)}" for name, count in by_name.items()]
    lines += [
        "A study beside the file compares with them by this line:",
        f"  baselines: [{file.name}]",
        "A launch keeps a copy, so that later reports have the same numbers.",
    ]
    return "\n".join(lines)


def _number_lines(each: Baseline, own: dict[str, str], notes: Iterable[str]) -> list[str]:
    protocol = each.protocol
    what = metric_name(f"{protocol.split}/{protocol.metric}".removeprefix("/"))
    printed = f" (printed {each.as_printed})" if each.as_printed != each.printed else ""
    lines = _wrapped(f"{each.row}: {what} {each.printed}{printed}", "")
    own = {k: v for k, v in own.items() if k not in ("metric", "split")}
    lines += _wrapped(_said(own), INDENT) if own else []
    if each.label:
        lines += _wrapped(f"really: {each.label}", INDENT)
    for note in notes:
        lines += _wrapped(f"note: {note}", INDENT)
    return lines


def _protocol_facts(each: Baseline) -> dict[str, str]:
    facts = {k: value_text(v) for k, v in asdict(each.protocol).items() if v not in (None, "")}
    if each.parameters_m is not None:
        facts["parameters"] = f"{each.parameters_m:g} million"
    if each.gmacs is not None:
        facts["multiply-accumulates"] = f"{each.gmacs:g} billion"
    if each.verified is not Verification.UNSTATED:
        facts["verified"] = str(each.verified)
    return facts


def _said(facts: dict[str, str]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in facts.items())


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1].rstrip(' ,')}…"
