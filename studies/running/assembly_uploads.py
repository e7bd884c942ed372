"""What the tracker is sent of an assembly: a run like a cell's, with its own kind."""

from functools import partial
from pathlib import Path

from studies.running.settings_yaml import settings_yaml
from studies.running.uploads import LOGS
from studies.tree.assemblies import SINGLE_NETWORK
from trackers.records import AssemblyRecord, CellRecord, JsonValue
from trackers.tracker import Artifact, CellUpload

KIND = "assembly"


def assembly_name(seed: int) -> str:
    """Name an assembly for people."""
    return f"{KIND} / seed {seed}"


def assembly_upload(record: AssemblyRecord, workspace: Path, *, task: str) -> CellUpload:
    """Return an assembly's snapshot: its networks as settings, its scores as final metrics."""
    settings: dict[str, JsonValue] = {
        f"{KIND}.{group}": cell for group, cell in record.members.items()
    }
    if record.single is not None:
        settings[f"{KIND}.{SINGLE_NETWORK}"] = record.single
    return CellUpload(
        cell=_as_cell(record, settings),
        name=assembly_name(record.seed),
        stages=(KIND,),
        configuration="",
        varied={},
        attempts=1 if record.trial else 0,
        artifacts=_artifacts(record, workspace) if record.outcome else (),
        resolved_config=partial(settings_yaml, settings),
        weights=None,
        task=task,
        kind=KIND,
    )


def _as_cell(record: AssemblyRecord, settings: dict[str, JsonValue]) -> CellRecord:
    metrics = {
        name if way == KIND else f"{way}/{name}": value
        for way, scored in record.ways.items()
        for name, value in scored.metrics.items()
    }
    for way, scored in record.ways.items():
        if scored.threshold is not None:
            metrics["threshold" if way == KIND else f"{way}/threshold"] = scored.threshold
    return CellRecord(
        id=record.id,
        settings=settings,
        seed=record.seed,
        group="",
        outcome=record.outcome,
        reason=record.reason,
        metrics=metrics,
        best_epoch=None,
        epochs=(),
        trials=(record.trial,) if record.trial else (),
        train_macs=0.0,
    )


def _artifacts(record: AssemblyRecord, workspace: Path) -> tuple[Artifact, ...]:
    logs: tuple[Artifact, ...] = ()
    if record.trial is not None:
        folder = workspace / record.trial.folder
        logs = tuple(Artifact(folder / name, name) for name in LOGS if (folder / name).exists())
    kept = (Path(file) for _, file in sorted(record.files.items()))
    named = (Artifact(f, f"predictions/{f.name.removeprefix('predictions_')}") for f in kept)
    return (*logs, *named)
