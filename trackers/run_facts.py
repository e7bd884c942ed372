"""What a tracker stores of a cell or a study, as plain names and numbers; knows no MLflow.

Everything follows from the record alone, never from the time of the upload, so that a store that
was away for days ends with exactly what one that was there all the time has.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from trackers.costs import costs_of
from trackers.records import CellRecord, EpochRecord, JsonValue, Outcome, StudyRecord
from trackers.study_story import study_note
from trackers.tracker import CellUpload, CitedResult

TAG = "visionstudy."
SUMMARY_RUN = "summary"
BASELINE = "baseline"  # the kind of runs that hold cited numbers
CITED_COLOUR = "#7f7f7f"  # grey beside the colours of ours
EPOCH = "epoch"  # the metric whose last value says how many epochs a run holds
COSTS = (
    "seconds",
    "device_s",
    "epochs",
    "steps",
    "images",
    "energy_j",
    "money",
    "peak_memory_mb",
)  # of all attempts, see `trackers.costs`
LONGEST_NAME = 250  # characters, of metrics, params and tags
LONGEST_PARAM = 6000
LONGEST_TAG = 8000
_FORBIDDEN = re.compile(r"[^\w\-. :/]")
_STATUS = {
    Outcome.COMPLETE: "FINISHED",
    Outcome.PRUNED: "FINISHED",
    Outcome.INFEASIBLE: "FAILED",
    Outcome.FAILED: "FAILED",
    Outcome.LOST: "KILLED",
    Outcome.STOPPED: "KILLED",
}


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a curve."""

    name: str
    value: float
    step: int  # epoch
    time_ms: int  # unix milliseconds


Files: TypeAlias = Mapping[str, Path | str]  # name among the artifacts -> the file, or its text
Epoch: TypeAlias = tuple[Point, ...]  # of one epoch, its `EPOCH` point last


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run, as far as it has come."""

    name: str
    status: str  # "RUNNING", "FINISHED", "FAILED" or "KILLED"
    started_ms: int | None  # unix milliseconds; None: not started
    ended_ms: int | None
    tags: Mapping[str, str]
    params: Mapping[str, str]
    epochs: tuple[Epoch, ...]
    final: tuple[Point, ...]  # of a cell, also what its attempts cost, which only grows


def has_started(cell: CellRecord) -> bool:
    """Return whether there is anything to store of a cell; a planned one has no run."""
    return bool(cell.trials) or cell.outcome is not None or cell.is_running


def cell_facts(study: str, upload: CellUpload) -> RunFacts:
    """Return what a cell's run holds."""
    cell = upload.cell
    ended_ms = _ended_ms(cell)
    started_ms = _milliseconds(min((each.started_at for each in cell.trials), default=None))
    return RunFacts(
        name=upload.name,
        status="RUNNING" if cell.outcome is None else _STATUS[cell.outcome],
        started_ms=ended_ms if started_ms is None else started_ms,
        ended_ms=ended_ms,
        tags=_cell_tags(study, upload),
        params={
            stored_name(path): _cut(_text(value), LONGEST_PARAM)
            for path, value in sorted(cell.settings.items())
        },
        epochs=tuple(_epoch_points(each) for each in cell.epochs),
        final=(*_final_points(cell), *_cost_points(cell)),
    )


def study_facts(study: StudyRecord) -> RunFacts:
    """Return what a study's summary run holds."""
    ends = [trial.ended_at for cell in study.cells.values() for trial in cell.trials]
    ended_at = max((each for each in ends if each is not None), default=study.created_at)
    tags = {
        "kind": SUMMARY_RUN,
        "study": study.name,
        "task": study.task,
        "objective": f"{study.direction} {study.metric}",
        "select_on": study.select_on,
        **{f"environment.{key}": value for key, value in sorted(study.environment.items())},
    }
    note = {"mlflow.note.content": _cut(study_note(study), LONGEST_TAG)}
    return RunFacts(
        name=SUMMARY_RUN,
        status="FINISHED" if study.is_finished else "RUNNING",
        started_ms=_milliseconds(study.created_at),
        ended_ms=_milliseconds(ended_at) if study.is_finished else None,
        tags=_tags(tags, name=SUMMARY_RUN) | note,
        params={},
        epochs=(),
        final=(),
    )


def cited_facts(study: StudyRecord, cited: CitedResult) -> RunFacts:
    """Return what the run of a cited number holds: it lies where ours lie, and has no epochs."""
    at_ms = _milliseconds(study.created_at) or 0
    tags = {"kind": BASELINE, "study": study.name, BASELINE: cited.id, "source": cited.source}
    notes = {"mlflow.note.content": _cut(cited.note, LONGEST_TAG), "mlflow.runColor": CITED_COLOUR}
    return RunFacts(
        name=cited.name,
        status="FINISHED",
        started_ms=at_ms,
        ended_ms=at_ms,
        tags=_tags(tags, name=cited.name) | notes,
        params={
            stored_name(path): _cut(_text(value), LONGEST_PARAM)
            for path, value in sorted(cited.settings.items())
        },
        epochs=(),
        final=tuple(
            Point(stored_name(f"final/{name}"), float(value), 0, at_ms)
            for name, value in sorted(cited.metrics.items())
        ),
    )


def stored_name(name: str) -> str:
    """Return a name of letters, digits, `_ - . : /` and spaces, which MLflow takes.

    MLflow also refuses what reads as a path with a detour, such as "a//b".
    """
    parts = _FORBIDDEN.sub("_", name).split("/")
    kept = "/".join(part for part in parts if part.strip("."))
    return kept[:LONGEST_NAME] or "_"


def cell_files(upload: CellUpload) -> Files:
    """Return the files of a cell's run."""
    return {
        "config.yaml": upload.resolved_config(),
        **{each.name: each.path for each in upload.artifacts},
    }


def study_files(study: StudyRecord, *, report: Path | None) -> Files:
    """Return the files of a study's summary run."""
    files: dict[str, Path | str] = {"study.json": json.dumps(study.settings, indent=2)}
    return files if report is None else files | {"report.html": report}


def files_stamp(upload: CellUpload) -> str:
    """Return a stamp of the state of a cell that its files belong to.

    It is taken from the record and not from the files, which may be deleted once stored.
    """
    names = sorted(each.name for each in upload.artifacts)
    return _digest([weights_stamp(upload), *names])


def upload_stamp(facts: RunFacts, upload: CellUpload) -> str:
    """Return a stamp of everything that an upload of a settled cell stores but its weights."""
    return _digest([repr(facts), files_stamp(upload)])


def cited_stamp(facts: RunFacts) -> str:
    """Return a stamp of everything that the run of a cited number holds."""
    return _digest([repr(facts)])


def report_stamp(study: StudyRecord, *, report: Path | None) -> str:
    """Return a stamp of the content of a study's files."""
    content = report.read_bytes() if report is not None and report.is_file() else b""
    return _digest([json.dumps(study.settings), hashlib.sha256(content).hexdigest()])


def weights_stamp(upload: CellUpload) -> str:
    """Return a stamp of the training that led to a cell's best weights."""
    last = upload.cell.epochs[-1].epoch if upload.cell.epochs else 0
    return _digest([_outcome(upload.cell), str(upload.attempts), str(last)])


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()[:16]


def _cell_tags(study: str, upload: CellUpload) -> dict[str, str]:
    cell = upload.cell
    last = cell.trials[-1] if cell.trials else None
    tags = {
        "kind": upload.kind,
        "study": study,
        "stage": ", ".join(upload.stages),
        "cell": cell.id,
        "configuration": upload.configuration,
        "varied": _settings(upload.varied),
        "seed": str(cell.seed),
        "fold": _fold(cell),
        "group": cell.group,
        "outcome": _outcome(cell),
        "reason": cell.reason,
        "attempts": str(upload.attempts),
        "best_epoch": "" if cell.best_epoch is None else str(cell.best_epoch),
        "source": cell.source or "",
        "device": last.device if last else "",
        "host": last.host if last else "",
        "currency": str(last.costs.get("currency") or "") if last else "",
    }
    return _tags(tags, name=upload.name)


def _fold(cell: CellRecord) -> str:
    """Name the fold that a cell was validated on; "" where its data are cut once."""
    folds, fold = (cell.settings.get(f"data.split.{name}") for name in ("folds", "fold"))
    return "" if folds is None else str(fold)


def _tags(tags: Mapping[str, str], *, name: str) -> dict[str, str]:
    named = {"mlflow.runName": name} | {
        stored_name(TAG + key): value for key, value in tags.items()
    }
    return {key: _cut(value, LONGEST_TAG) for key, value in named.items()}


def _epoch_points(epoch: EpochRecord) -> Epoch:
    values = {
        **{stored_name(name): value for name, value in sorted(epoch.metrics.items())},
        "cost/wall_s": epoch.wall_s,
        "cost/images_seen": float(epoch.images_seen),
    }
    values.pop(EPOCH, None)
    values[EPOCH] = float(epoch.epoch)
    time_ms = round(epoch.finished_at * 1000)
    return tuple(Point(name, float(value), epoch.epoch, time_ms) for name, value in values.items())


def _final_points(cell: CellRecord) -> tuple[Point, ...]:
    if not cell.metrics:
        return ()
    last = cell.epochs[-1].epoch if cell.epochs else 0
    step = last if cell.best_epoch is None else cell.best_epoch
    time_ms = _ended_ms(cell) or 0
    values = {**cell.metrics, "train_macs": cell.train_macs}
    return tuple(
        Point(stored_name(f"final/{name}"), float(value), step, time_ms)
        for name, value in sorted(values.items())
    )


def _cost_points(cell: CellRecord) -> tuple[Point, ...]:
    """Return what the attempts so far cost together, after each one, as far as it is known."""
    ended = [trial for trial in cell.trials if trial.ended_at is not None]
    points = []
    for number, trial in enumerate(ended, start=1):
        total = costs_of(ended[:number])
        points += [
            Point(f"cost/{name}", float(value), number, _milliseconds(trial.ended_at) or 0)
            for name in COSTS
            if (value := getattr(total, name)) is not None
        ]
    return tuple(points)


def _ended_ms(cell: CellRecord) -> int | None:
    if cell.outcome is None:
        return None
    ends = [trial.ended_at for trial in cell.trials if trial.ended_at is not None]
    ends += [epoch.finished_at for epoch in cell.epochs]
    return _milliseconds(max(ends, default=None))


def _milliseconds(time_s: float | None) -> int | None:
    return None if time_s is None else round(time_s * 1000)


def _outcome(cell: CellRecord) -> str:
    if cell.outcome is not None:
        return cell.outcome.value
    return "running" if cell.is_running else "planned"


def _settings(settings: Mapping[str, JsonValue]) -> str:
    return ", ".join(f"{path} = {_text(value)}" for path, value in settings.items())


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
