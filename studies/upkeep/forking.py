"""A study of its own that begins with what another one measured.

Every cell is named by what it would measure: settings, seed, data, code. So it is enough to hand
the new study the results that are there; growing its tree finds those it asks for, and the rest
is trained. A pruned cell is one that its rivals outran: it is handed on where the stage or joint
search asks for the same rivals, by the same pruner. Files are linked, not copied: each study may
delete its own.

    NotForkedError   a study cannot begin with another one's results; the message says why
"""

import os
import shutil
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, Table

from data_pipeline.catalog import data_fingerprint
from studies.running.environment import describe_environment
from studies.running.orders import trial_folder
from studies.running.start_preflight import START_FACT
from studies.running.workspace import WorkspaceFolder
from studies.spec.diff import BESIDE_IDENTITY, unlike
from studies.spec.load import LoadedStudy
from studies.spec.problems import did_you_mean
from studies.tree.cited_files import keep_cited
from studies.tree.ledger import Ledger
from studies.tree.ledger_tables import cells, proposals, studies, test_scores, trials
from studies.tree.stages import JOINT_STAGE
from trackers.records import Outcome, StageRecord

TAKEN = (Outcome.COMPLETE, Outcome.PRUNED, Outcome.INFEASIBLE)  # the others may be tried again
OF_DATA = ("data_used", "data_left_out")  # facts of the environment
LOGS = (".jsonl", ".log")
Rows = list[tuple[Table, Mapping[str, Any]]]


class NotForkedError(ValueError):
    """A study cannot be made from another one."""


def fork_study(
    ledger: Ledger,
    place: WorkspaceFolder,
    loaded: LoadedStudy,
    *,
    source: str,
    above: str | None,
) -> tuple[str, ...]:
    """Write a new study into the ledger, with results of another; return the cells it got.

    Args:
        ledger: Of the workspace.
        place: The workspace.
        loaded: The new study, under its own name.
        source: The study whose results are taken.
        above: Stage of that study; what it and those below measured is left out. None: nothing is.

    Raises:
        NotForkedError: There is no such study or stage, the name is taken, or results would not
            be comparable.
    """
    old = _source(ledger, loaded, source)
    name = loaded.spec.study
    _require_alike(old, loaded)
    ended = _ended_cells(ledger, source, above)
    stages = ledger.stage_records(source)
    alike = _stages_alike(old["resolved"], loaded.resolved, stages, above)
    same_rivals = _cells_of(each for each in stages if each.name in alike)
    taken = [r for r in ended if r["outcome"] != Outcome.PRUNED or r["id"] in same_rivals]
    rows: Rows = [(studies, _study_row(old, loaded))]
    rows += [(cells, {**row, "study": name, "position": -1}) for row in taken]
    ids = {row["id"] for row in taken}
    rows += _moved(place, name, trials, [r for r in ledger.trials(source) if r["cell"] in ids])
    scored = [row for cell, row in ledger.test_scores(source).items() if cell in ids]
    rows += _moved(place, name, test_scores, scored)
    rows += [
        (proposals, {**row, "study": name})
        for row in ledger.proposal_rows(source)
        if row["search"].partition(" / ")[0].partition(" #")[0] in alike
    ]
    keep_cited(place.study(name), loaded.cited_files)
    ledger.add_rows(rows)
    return tuple(row["id"] for row in taken)


def _source(ledger: Ledger, loaded: LoadedStudy, source: str) -> RowMapping:
    names, name = ledger.study_names(), loaded.spec.study
    old = ledger.study(source)
    if old is None:
        raise NotForkedError(
            f"unknown study '{source}'{did_you_mean(source, names)}; studies here: "
            f"{', '.join(names) or 'none yet'}"
        )
    if name in names:
        raise NotForkedError(f"there is a study '{name}' already; give another name by --as")
    return old


def _require_alike(old: RowMapping, loaded: LoadedStudy) -> None:
    if changes := unlike(old["resolved"], loaded.resolved):
        said = "; ".join(f"{each.path}: {each.old} -> {each.new}" for each in changes)
        raise NotForkedError(
            f"a fork must keep {', '.join(BESIDE_IDENTITY)} of study '{old['name']}', for its "
            f"results depend on them, got {said}; undo that, or launch it as a study of its own"
        )


def _ended_cells(ledger: Ledger, source: str, above: str | None) -> list[RowMapping]:
    """Return the cells that ended with a result, and belong above a stage."""
    rows = [row for row in ledger.all_cells(source) if row["outcome"] in TAKEN]
    if above is None:
        return rows
    wanted = _cells_above(ledger.stage_records(source), above)
    wanted |= {row["source"] for row in rows if row["id"] in wanted}
    return [row for row in rows if row["id"] in wanted]


def _cells_above(records: Sequence[StageRecord], above: str) -> set[str]:
    names = [record.name for record in records]
    if above not in names:
        raise NotForkedError(
            f"unknown stage '{above}'{did_you_mean(above, names)}; stages: {', '.join(names)}"
        )
    return _cells_of(records[: names.index(above)])


def _cells_of(records: Iterable[StageRecord]) -> set[str]:
    return {
        cell
        for record in records
        for configuration in record.configurations
        for cell in configuration.cells
    }


def _stages_alike(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    records: Sequence[StageRecord],
    above: str | None,
) -> Collection[str]:
    """Return the stages that both ask for alike: what samplers proposed for them holds."""
    names = [record.name for record in records]
    kept = names if above is None else names[: names.index(above)]
    before = {each["stage"]: each for each in old["search"]["tree"]}
    now = {each["stage"]: each for each in new["search"]["tree"]}
    alike = {name for name in before.keys() & now.keys() if before[name] == now[name]}
    if old["search"]["joint"] is not None and old["search"]["joint"] == new["search"]["joint"]:
        alike.add(JOINT_STAGE)
    return alike & set(kept)


def _study_row(old: RowMapping, loaded: LoadedStudy) -> dict[str, Any]:
    before: dict[str, str] = {
        fact: value
        for fact, value in old["environment"].items()
        if not fact.startswith(START_FACT)  # it is part of what names a cell
    }
    now = {**describe_environment(), "data_fingerprint": data_fingerprint(loaded.spec.data)}
    if before.get("data_fingerprint") != now["data_fingerprint"]:
        before = {fact: value for fact, value in before.items() if fact not in OF_DATA}
    return {
        **old,
        "name": loaded.spec.study,
        "created_at": time.time(),
        "text": loaded.text,
        "resolved": dict(loaded.resolved),
        "environment": {**before, **now},
        "wall_s": 0.0,
        "is_finished": False,
        "note": f"made from study '{old['name']}'; launch it to go on",
    }


def _moved(place: WorkspaceFolder, study: str, table: Table, rows: Sequence[RowMapping]) -> Rows:
    """Link the folders of trials into the new study, and return their rows."""
    moved: Rows = []
    for row in rows:
        folder = trial_folder(study, row["cell"], row.get("attempt", "test"))
        _link(place.folder / row["folder"], place.folder / folder)
        moved.append((table, {**row, "study": study, "folder": folder}))
    return moved


def _link(source: Path, target: Path) -> None:
    """Have the files of an ended trial in another folder too; its lock stays behind."""
    if not source.is_dir():
        return
    if target.exists():  # a fork that was killed left it, some files of it half copied
        shutil.rmtree(target)
    target.mkdir(parents=True)
    for file in source.iterdir():
        there = target / file.name
        if not file.is_file() or file.name == "lock":
            continue
        if file.suffix in LOGS:
            shutil.copy2(file, there)
            continue
        try:
            os.link(file, there)
        except OSError:  # a file system without links
            shutil.copy2(file, there)
