"""What `visionstudy predict` says: before, meanwhile, after, and as JSON for programs."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from models.loss_settings import SOFTMAX_LOSSES
from studies.predicting.choosing import ChosenRun, Member
from studies.predicting.predicting import Predicted
from studies.predicting.predicting import Progress as Told
from studies.running.views import PLAIN_INTERVAL_S, duration

LISTED_SKIPPED = 10
OF_WHOLE_SAMPLES = ("action_recognition", "image_classification")  # the likeliest class wins


class Rate(ProgressColumn):
    """Pictures or frames per second."""

    def __init__(self, noun: str) -> None:
        super().__init__()
        self._noun = noun

    def render(self, task: Task) -> Text:
        """Return the rate of the last seconds."""
        return Text(f"{task.speed:.1f} {self._noun}/s" if task.speed else "")


@contextmanager
def shown_progress(console: Console, *, quiet: bool, noun: str = "pictures") -> Iterator[Told]:
    """Show how far it is: a bar on a terminal, a line now and then elsewhere.

    What is told are the things done, of how many; 0: that is not known.
    """
    if quiet:
        yield lambda *_: None
    elif console.is_terminal:
        columns = (TextColumn("predicting"), BarColumn(), MofNCompleteColumn(), Rate(noun))
        with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
            step = bar.add_task("", total=None)
            yield lambda done, total: bar.update(step, completed=done, total=total or None)
    else:
        yield _plain(console, noun)


def _plain(console: Console, noun: str) -> Told:
    started_at = said_at = time.monotonic()
    first: int | None = None

    def told(done: int, total: int) -> None:
        nonlocal said_at, first
        first = done if first is None else first
        now = time.monotonic()
        if now - said_at >= PLAIN_INTERVAL_S and done > first:
            said_at = now
            rate = (done - first) / (now - started_at)
            left = duration(max(0, total - done) / rate)
            of_all, rest = (f" of {total:,}", f", about {left} left") if total else ("", "")
            console.print(f"{done:,}{of_all} {noun}, {rate:.1f} {noun}/s{rest}", highlight=False)

    return told


def run_lines(run: ChosenRun) -> Iterator[str]:
    """Say what predicts."""
    for member in run.members:
        yield f"{_place(run, member)}: {_words(run.task, member)}"
    yield from run.notes


def _place(run: ChosenRun, member: Member) -> str:
    split = member.settings.data.split
    fold = f"fold {split.fold}" if split.folds is not None else ""
    facts = [fact for fact in (member.role, member.group, fold, f"seed {member.seed}") if fact]
    return f"{run.study}/{member.cell} ({', '.join(facts)})"


def _words(task: str, member: Member) -> str:
    model, size = member.settings.model.name, member.settings.data.image_size
    is_softmax = member.settings.training.loss in SOFTMAX_LOSSES or task in OF_WHOLE_SAMPLES
    what = "score" if task == "object_detection" else "probability"
    threshold = f", from a {what} of {member.threshold:g} on" if not is_softmax else ""
    return f"{model} at {size} px, labels {', '.join(member.class_names)}{threshold}"


def end_lines(predicted: Predicted) -> Iterator[str]:
    """Say what was done, what was not, and where it is."""
    skipped = predicted.record.skipped
    before = predicted.pictures - predicted.predicted - len(skipped)
    parts = [f"{predicted.predicted:,} predicted in {duration(predicted.seconds)}"]
    if predicted.predicted:
        parts[0] += f" ({predicted.predicted / max(predicted.seconds, 1e-9):.1f} pictures/s)"
    parts += [f"{before:,} done before"] if before else []
    parts += [f"{len(skipped):,} skipped"] if skipped else []
    noun = "picture" if predicted.pictures == 1 else "pictures"
    yield f"{predicted.pictures:,} {noun}: {', '.join(parts)}"
    for source, reason in list(skipped.items())[:LISTED_SKIPPED]:
        yield f"skipped {source}: {reason}"
    if len(skipped) > LISTED_SKIPPED:
        yield f"and {len(skipped) - LISTED_SKIPPED:,} more, see predictions.json"
    yield f"wrote {predicted.record.folder}"


def predicted_json(predicted: Predicted, run: ChosenRun, *, device: str) -> str:
    """Write the end as JSON; the fields are those `visionstudy predict --help` names."""
    record = predicted.record
    content = {
        "folder": str(record.folder),
        "study": run.study,
        "cells": [member.cell for member in run.members],
        "classes": record.classes,
        "pictures": predicted.pictures,
        "predicted": predicted.predicted,
        "skipped": [
            {"source": source, "reason": reason} for source, reason in record.skipped.items()
        ],
        "seconds": predicted.seconds,
        "device": device,
        "notes": list(run.notes),
    }
    return json.dumps(content, indent=2)
