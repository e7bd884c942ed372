"""A cell's story as text for people and as JSON for programs."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console

from studies.explaining.cell_story import Attempt, CellStory, Use
from studies.running.views import duration
from trackers.records import JsonValue


def print_story(console: Console, story: CellStory) -> None:
    """Print what is known of a cell, a block per question."""
    for line in _lines(story):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def story_json(story: CellStory) -> str:
    """Write it as JSON; the fields are those that `visionstudy why --help` names."""
    cell = story.cell
    content = {
        "study": story.study,
        "cell": cell.id,
        "outcome": str(cell.outcome) if cell.outcome else None,
        "is_running": cell.is_running,
        "reason": cell.reason,
        "metrics": dict(cell.metrics),
        "seed": cell.seed,
        "fold": story.fold,
        "group": cell.group,
        "settings": dict(cell.settings),
        "changed": {path: list(values) for path, values in story.changed.items()},
        "uses": [asdict(use) for use in story.uses],
        "needed_by": list(story.needed_by),
        "source": cell.source,
        "attempts": [_attempt_json(each) for each in story.attempts],
        "waits": story.waits,
    }
    return json.dumps(content, indent=2)


def _lines(story: CellStory) -> Iterator[str]:
    cell = story.cell
    group = f", class {cell.group}" if cell.group else ""
    yield f"cell {cell.id} of study '{story.study}': {story.replicate}{group}"
    yield f"  {_state(story)}"
    for warning in cell.warnings:
        yield f"  its trial warned of: {warning}"
    yield from _use_lines(story)
    yield "against the base settings:"
    if not story.changed:
        yield "  nothing is changed"
    for path, (before, now) in story.changed.items():
        yield f"  {path}: {_text(before)} -> {_text(now)}"
    if cell.source is not None:
        yield f"its predictions are those of cell {cell.source}, which it scores again"
    yield "attempts:" if story.attempts else "attempts: none yet"
    for attempt in story.attempts:
        yield from _attempt_lines(attempt)


def _state(story: CellStory) -> str:
    cell = story.cell
    if cell.outcome is not None:
        value = cell.metrics.get(story.metric)
        score = "" if value is None else f", {story.metric} {value:.4f}"
        because = f" ({cell.reason})" if cell.reason else ""
        return f"{cell.outcome}{score}{because}"
    if story.waits:
        return f"not run yet: {story.waits}" if not cell.trials else f"not ended: {story.waits}"
    return f"running: epoch {len(cell.epochs)} of {cell.settings['training.epochs']} is finished"


def _use_lines(story: CellStory) -> Iterator[str]:
    if not story.uses and not story.needed_by:
        yield "measured for: no stage as the study is now; its result is kept"
        return
    yield "measured for:"
    for use in story.uses:
        yield f"  stage '{use.stage}': {use.label or 'the base settings'}"
        if use.inherits:
            yield f"    inherits {use.inherits}"
        yield f"    {_verdict(use)}"
    for line in story.needed_by:
        yield f"  {line}"


def _verdict(use: Use) -> str:
    if not use.decision:
        return "the stage is not decided yet"
    return f"{'its configuration won' if use.is_winner else 'another won'}: {use.decision}"


def _attempt_lines(attempt: Attempt) -> Iterator[str]:
    trial = attempt.trial
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(trial.started_at))
    took = "" if trial.ended_at is None else f", {duration(trial.ended_at - trial.started_at)}"
    resumed = f", from epoch {trial.resumed_from_epoch}" if trial.resumed_from_epoch else ""
    state = str(trial.outcome or "running")
    because = f" ({trial.reason})" if trial.reason else ""
    yield f"  {trial.attempt}: {state}{because}"
    yield f"     on {trial.host}, {trial.device}, since {since}{took}{resumed}"
    yield f"     {attempt.epochs} epochs finished; {trial.folder}"
    text = attempt.traceback.splitlines() or attempt.log_tail
    for line in text:
        yield f"     | {line}"


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    trial = attempt.trial
    return {
        "attempt": trial.attempt,
        "outcome": str(trial.outcome) if trial.outcome else None,
        "reason": trial.reason,
        "host": trial.host,
        "device": trial.device,
        "started_at": trial.started_at,
        "ended_at": trial.ended_at,
        "folder": trial.folder,
        "resumed_from_epoch": trial.resumed_from_epoch,
        "epochs": attempt.epochs,
        "log_tail": list(attempt.log_tail),
        "traceback": attempt.traceback,
    }


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)
