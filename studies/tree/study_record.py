"""From the ledger and the event logs to the record that reports and trackers read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

from sqlalchemy import RowMapping

from models.catalog import TASKS
from models.metrics.names import task_slugs
from models.settings import EvaluationSettings
from studies.spec.problems import did_you_mean
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings, flatten, for_fold
from studies.tree.assembly_records import assembly_records
from studies.tree.cell_history import CellHistory, read_history
from studies.tree.cited_files import read_cited
from studies.tree.epoch_file import CellLogs, KeptHistory, read_epochs
from studies.tree.kept_files import WEIGHTS, tested_files, trained_files
from studies.tree.ledger import Ledger
from studies.tree.memory_file import memory_records
from trackers.records import (
    CellRecord,
    ConfigurationRecord,
    Outcome,
    StageRecord,
    StudyRecord,
    TestScoreRecord,
    TrialRecord,
)
from trackers.run_register import run_addresses


class UnknownStudyError(LookupError):
    """The workspace has no study of that name."""


def read_study(
    ledger: Ledger,
    workspace: Path,
    name: str,
    *,
    keep_epochs: bool = False,
) -> StudyRecord:
    """Read everything that is known of a study.

    Args:
        ledger: Open.
        workspace: Its folder.
        name: The study's.
        keep_epochs: Bring the study's columnar file of epochs up to date.

    Raises:
        UnknownStudyError: the ledger has no such study; the message lists those it has.
    """
    row = ledger.study(name)
    if row is None:
        names = ledger.study_names()
        raise UnknownStudyError(
            f"unknown study '{name}' in workspace {workspace}{did_you_mean(name, names)}; "
            f"studies there: {', '.join(names) or 'none yet'}"
        )
    spec = StudySpec.model_validate(row["resolved"])
    cells = with_slugs(_cells(ledger, workspace, name, keep_epochs=keep_epochs), spec.task)
    every_stage = ledger.stage_records(name)
    stages = tuple(each for each in every_stage if each.kind == "stage")
    scores = _test_scores(ledger, workspace, spec, stages=stages, cells=cells)
    assemblies = assembly_records(ledger, workspace, spec)
    return StudyRecord(
        name=name,
        task=spec.task,
        description=spec.description,
        metric=spec.objective.metric,
        direction=spec.objective.direction,
        select_on=spec.objective.select_on,
        settings=row["resolved"],
        base=flatten(for_fold(base_settings(spec), None if spec.data.folds is None else 0)),
        stages=stages,
        cells=cells,
        test_scores=scores,
        test_looks=_test_looks(ledger, spec, cells) + ledger.assembly_looks(name),
        baselines=tuple(spec.baselines),
        cited_files=read_cited(workspace / "studies" / name),
        environment=row["environment"],
        created_at=row["created_at"],
        is_finished=row["is_finished"],
        note=row["note"],
        assemblies=assemblies,
        memory=memory_records(workspace / "studies" / name, cells.values()),
        afterwards=tuple(each for each in every_stage if each.kind != "stage"),
    )


def cell_record(
    row: RowMapping,
    trials: tuple[RowMapping, ...],
    *,
    history: CellHistory | KeptHistory,
    workspace: Path,
    test_score: RowMapping | None = None,
) -> CellRecord:
    """Build a cell's record from its ledger row, its trials, its event logs and its test score."""
    ends = history.ends if isinstance(history, KeptHistory) else {}
    files = trained_files(workspace, trials, ends) | tested_files(workspace, test_score)
    files.pop(WEIGHTS, None)
    return CellRecord(
        id=row["id"],
        settings=flatten(CellSettings.model_validate(row["settings"])),
        seed=row["seed"],
        group=row["grp"],
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        reason=row["reason"],
        metrics=row["metrics"],
        best_epoch=row["best_epoch"],
        epochs=history.in_order(),
        trials=tuple(trial_record(each) for each in trials),
        train_macs=row["train_macs"],
        source=row["source"],
        files={role: str(file) for role, file in files.items()},
        is_running=bool(trials) and trials[-1]["outcome"] is None,
        warnings=tuple(history.warnings),
    )


def trial_record(row: RowMapping) -> TrialRecord:
    """Build a trial's record from its ledger row."""
    return TrialRecord(
        cell=row["cell"],
        attempt=row["attempt"],
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        reason=row["reason"],
        device=row["device"],
        host=row["host"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        resumed_from_epoch=row["resumed_from_epoch"],
        folder=row["folder"],
        effective=row["effective"],
        costs=row["costs"],
    )


def _cells(
    ledger: Ledger, workspace: Path, study: str, *, keep_epochs: bool
) -> dict[str, CellRecord]:
    by_cell: dict[str, list[RowMapping]] = {}
    for trial in ledger.trials(study):
        by_cell.setdefault(trial["cell"], []).append(trial)
    test_scores = ledger.test_scores(study)
    rows = ledger.cells(study)
    logs = [_logs(row, by_cell.get(row["id"], ())) for row in rows]
    histories = read_epochs(workspace, study, logs, keep=keep_epochs)
    found = {}
    for row in rows:
        record = cell_record(
            row,
            tuple(by_cell.get(row["id"], ())),
            history=histories[row["id"]],
            workspace=workspace,
            test_score=test_scores.get(row["id"]),
        )
        found[row["id"]] = record
    return with_runs(found, workspace / "studies" / study)


def _logs(row: RowMapping, trials: Sequence[RowMapping]) -> CellLogs:
    folders = tuple(each["folder"] for each in trials)
    return CellLogs(row["id"], row["grp"], row["seed"], folders)


def with_runs(cells: Mapping[str, CellRecord], folder: Path) -> dict[str, CellRecord]:
    """Return cells with the addresses of their runs in MLflow, as far as they are known.

    Args:
        cells: Of one study.
        folder: The study's own.
    """
    addresses = run_addresses(folder)
    return {
        name: replace(cell, tracking_url=addresses[name]) if name in addresses else cell
        for name, cell in cells.items()
    }


def with_slugs(cells: Mapping[str, CellRecord], task: str) -> dict[str, CellRecord]:
    """Return cells with what their classes are called in metrics: reports must not guess it."""
    named: dict[tuple[str, ...], dict[str, str]] = {}  # cells of the same classes share them
    found = {}
    for name, cell in cells.items():
        classes = _classes(cells.get(cell.source or "", cell))
        if classes not in named:
            named[classes] = task_slugs(task, classes)
        found[name] = replace(cell, class_slugs=named[classes])
    return found


def _classes(cell: CellRecord) -> tuple[str, ...]:
    """Return a trained cell's classes: as its settings name them, or as its trials found them."""
    listed = cell.settings.get("data.classes")
    found = [trial.effective.get("classes") for trial in reversed(cell.trials)]
    known = next(
        (each for each in (listed, *found) if isinstance(each, list | tuple) and each), ()
    )
    return tuple(str(name) for name in known)


def _test_scores(
    ledger: Ledger,
    workspace: Path,
    spec: StudySpec,
    *,
    stages: tuple[StageRecord, ...],
    cells: Mapping[str, CellRecord],
) -> tuple[TestScoreRecord, ...]:
    """Tell the test scores of every stage winner, at the winner's threshold."""
    rows = ledger.test_scores(spec.study)
    scores = []
    for stage in stages:
        for configuration in winners(stage):
            for cell in (cells[each] for each in configuration.cells if each in cells):
                row = rows.get(cell.source or cell.id)
                if row is None or row["outcome"] != Outcome.COMPLETE:
                    continue
                metrics = _tested(workspace / row["folder"], cell, spec.task)
                if metrics:
                    score = TestScoreRecord(stage.name, configuration.id, cell.id, metrics)
                    scores.append(score)
    return tuple(scores)


def _tested(folder: Path, cell: CellRecord, task: str) -> dict[str, float]:
    """Return the test metrics of a scoring; {} where what was scored is deleted since."""
    entry = TASKS[task]
    if entry.rescore is None:  # nothing is set after training, so that the scoring itself said it
        end = read_history([folder]).end
        return dict(end.fields.get("metrics", {})) if end is not None else {}
    file = folder / entry.predictions.format(split="test")
    if not file.exists():
        return {}
    metrics = resolve_name(entry.rescore)(file, _evaluation(cell))
    return {f"test/{key}": value for key, value in metrics.items()}


def _evaluation(cell: CellRecord) -> EvaluationSettings:
    """Return the cell's own evaluation settings."""
    prefix = "evaluation."
    own = {
        path.removeprefix(prefix): value
        for path, value in cell.settings.items()
        if path.startswith(prefix)
    }
    return EvaluationSettings.model_validate(own)


def _test_looks(ledger: Ledger, spec: StudySpec, cells: Mapping[str, CellRecord]) -> int:
    """Count the trained cells whose test scores were seen, winners or not."""
    if spec.objective.select_on == "test":
        return sum(
            cell.outcome is Outcome.COMPLETE and cell.source is None for cell in cells.values()
        )
    rows = ledger.test_scores(spec.study).values()
    return sum(row["outcome"] == Outcome.COMPLETE for row in rows)


def winners(stage: StageRecord) -> tuple[ConfigurationRecord, ...]:
    """Return a stage's winning configurations, best first, group by group."""
    by_id = {each.id: each for each in stage.configurations}
    return tuple(by_id[winner] for each in stage.decisions for winner in each.winners)
