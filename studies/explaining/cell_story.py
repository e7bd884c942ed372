"""Everything about one cell: where it stands, what it is measured with, what became of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reports.notation import configuration_label
from studies.explaining.waiting import cell_waits
from studies.tree.cell_history import read_history
from trackers.folds import fold_of, replicate_name
from trackers.records import (
    CellRecord,
    ConfigurationRecord,
    JsonValue,
    StageRecord,
    StudyRecord,
    TrialRecord,
)
from trackers.redaction import redact

TAIL_BYTES = 8192
TAIL_LINES = 8


@dataclass(frozen=True, slots=True)
class Use:
    """A stage that a cell is measured for."""

    stage: str
    configuration: str  # its id
    label: str  # what the stage varies, for people
    inherits: str  # the configuration above, for people; "" in the first stage
    is_winner: bool
    decision: str  # the sentence of the stage's decision; "" while undecided


@dataclass(frozen=True, slots=True)
class Attempt:
    """A trial with what its log said."""

    trial: TrialRecord
    epochs: int  # that it finished itself
    log_tail: tuple[str, ...]  # of what it printed; () where it completed the cell
    traceback: str  # of what it raised; ""


@dataclass(frozen=True, slots=True)
class CellStory:
    """What `visionstudy why` tells."""

    study: str
    metric: str
    cell: CellRecord
    replicate: str  # "seed 0", or "fold 2, seed 0"
    fold: int | None  # None: the study has no folds
    uses: tuple[Use, ...]
    changed: Mapping[str, tuple[JsonValue, JsonValue]]  # path -> in the base, in this cell
    needed_by: tuple[str, ...]  # what else it is there for, for people
    attempts: tuple[Attempt, ...]
    waits: str  # why it has not ended; ""


def cell_story(
    record: StudyRecord, cell: str, *, runner: str | None, workspace: Path
) -> CellStory:
    """Collect what is known of a cell.

    Args:
        record: Its study.
        cell: Its id.
        runner: Who runs the study; None: nobody.
        workspace: Where its trials' folders are.
    """
    found = record.cells[cell]
    return CellStory(
        study=record.name,
        metric=record.metric,
        cell=found,
        replicate=replicate_name(record, found),
        fold=fold_of(record, found),
        uses=tuple(_uses(record, cell)),
        changed={
            path: (record.base.get(path), value)
            for path, value in found.settings.items()
            if record.base.get(path) != value
        },
        needed_by=tuple(_needed_by(record, cell)),
        attempts=tuple(_attempt(each, workspace) for each in found.trials),
        waits=cell_waits(record, found, runner),
    )


def _uses(record: StudyRecord, cell: str) -> Iterator[Use]:
    known: dict[str, tuple[StageRecord, ConfigurationRecord]] = {}
    for stage in (*record.stages, *record.afterwards):
        for configuration in stage.configurations:
            known[configuration.id] = stage, configuration
            if cell not in configuration.cells:
                continue
            above = known.get(configuration.parent or "")
            decisions = [
                each for each in stage.decisions if each.group in ("", configuration.group)
            ]
            yield Use(
                stage=stage.name,
                configuration=configuration.id,
                label=configuration_label(configuration.shown),
                inherits=f"{configuration_label(above[1].shown)} of stage '{above[0].name}'"
                if above
                else "",
                is_winner=any(configuration.id in each.winners for each in decisions),
                decision=" ".join(each.rule for each in decisions),
            )


def _needed_by(record: StudyRecord, cell: str) -> Iterator[str]:
    rescored = [each.id for each in record.cells.values() if each.source == cell]
    if rescored:
        yield f"its predictions are re-scored by {len(rescored)} cells: {', '.join(rescored)}"
    for each in record.assemblies:
        if cell in each.members.values():
            yield f"its network is put together with those of other classes (seed {each.seed})"
        if cell == each.single:
            yield f"it is the single network of all classes (seed {each.seed})"


def _attempt(trial: TrialRecord, workspace: Path) -> Attempt:
    folder = workspace / trial.folder
    history = read_history([folder])
    is_complete = trial.outcome == "complete"
    end = history.end.fields if history.end is not None else {}
    return Attempt(
        trial=trial,
        epochs=len(history.epochs),
        log_tail=() if is_complete else _tail(folder / "output.log"),
        traceback=redact(str(end.get("traceback", ""))),
    )


def _tail(file: Path) -> tuple[str, ...]:
    """Return the last lines that a trial printed; () where there is no such file any more."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - TAIL_BYTES))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ()
    return tuple(redact(text).splitlines()[-TAIL_LINES:])
