"""From the ledger's rows of assemblies to the records that reports and trackers read."""

from pathlib import Path

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from models.metrics.names import class_slugs
from studies.spec.schema import StudySpec
from studies.tree.cell_history import read_history
from studies.tree.kept_files import files_of
from studies.tree.ledger import Ledger
from trackers.records import AssemblyRecord, Outcome, TrialRecord, WayRecord

_WAYS = TypeAdapter(dict[str, WayRecord])


def assembly_records(
    ledger: Ledger, workspace: Path, spec: StudySpec
) -> tuple[AssemblyRecord, ...]:
    """Return one record per seed, also of assemblies whose members are not known yet."""
    if spec.assembly is None:
        return ()
    rows = {row["seed"]: row for row in ledger.assemblies(spec.study)}
    return tuple(
        assembly_record(rows[seed], workspace, spec) if seed in rows else _unknown(seed, spec)
        for seed in range(spec.search.replicates)
    )


def assembly_record(row: RowMapping, workspace: Path, spec: StudySpec) -> AssemblyRecord:
    """Build an assembly's record from its row."""
    outcome = Outcome(row["outcome"]) if row["outcome"] else None
    scores = row["scores"] if outcome is Outcome.COMPLETE else {}
    folder = workspace / row["folder"]
    kept = files_of(folder, read_history([folder]).end) if scores else {}
    return AssemblyRecord(
        seed=row["seed"],
        id=row["id"],
        members={name: row["members"][name] for name in spec.data.classes},
        class_metrics=_class_metrics(spec),
        single=row["single"],
        wants_single=spec.assembly is not None and spec.assembly.single_network,
        outcome=outcome,
        reason=row["reason"],
        images=scores.get("images", {}),
        left_out=scores.get("left_out", {}),
        ways=_WAYS.validate_python(scores.get("scores", {})),
        trial=_trial(row, outcome) if row["started_at"] else None,
        files={role: str(file) for role, file in kept.items()},
    )


def _class_metrics(spec: StudySpec) -> dict[str, str]:
    slugs = class_slugs(spec.data.classes)
    return {name: f"iou_{slug}" for name, slug in zip(spec.data.classes, slugs, strict=True)}


def _trial(row: RowMapping, outcome: Outcome | None) -> TrialRecord:
    return TrialRecord(
        cell=row["id"],
        attempt=1,
        outcome=outcome,
        reason=row["reason"],
        device=row["device"],
        host=row["host"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        resumed_from_epoch=0,
        folder=row["folder"],
    )


def _unknown(seed: int, spec: StudySpec) -> AssemblyRecord:
    return AssemblyRecord(
        seed=seed,
        id="",
        members={},
        class_metrics=_class_metrics(spec),
        single=None,
        wants_single=spec.assembly is not None and spec.assembly.single_network,
        outcome=None,
        reason="",
        images={},
        left_out={},
        ways={},
        trial=None,
    )
