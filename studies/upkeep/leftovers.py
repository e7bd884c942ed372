"""What a workspace holds that no study needs any more.

Of a finished study that nobody runs:

* checkpoints of its cells: a study that is extended trains new cells from their beginning,
* weights that it does not keep (`weights: winners`), and those of attempts that came to nothing.

Of any study that the ledger knows: trial folders that no trial in the ledger has.
Of the cache: samples that no unfinished study opened since it began; they would be decoded again.

What an unfinished study starts from (`init_from: study:NAME`) stays as if NAME were unfinished.
Event logs, predictions and what the report shows stay in any case.
"""

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import RowMapping

from data_pipeline.cache.bounds import entries, last_opened, remove_entry, used_bytes
from models.settings import OF_RUN
from studies.running.file_lock import LockHeldError
from studies.running.uploads import best_weights
from studies.running.weights import kept_cells
from studies.running.workspace import WorkspaceFolder
from studies.spec.schema import StudySpec
from studies.tree.ledger import Ledger
from studies.tree.study_record import read_study

Kind = Literal["checkpoints", "weights", "orphans", "cache"]
CHECKPOINTS = ("checkpoint-*.ckpt", ".*.partial")
WEIGHTS = "best-*"


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that may be deleted."""

    kind: Kind
    study: str  # "" of the cache
    path: Path
    size: int  # bytes

    def remove(self) -> bool:
        """Delete it; say whether it is gone."""
        if self.kind == "cache":
            remove_entry(self.path)  # unless a process has it open
        elif self.path.is_dir():
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            self.path.unlink(missing_ok=True)
        return not self.path.exists()


def find_leftovers(ledger: Ledger, place: WorkspaceFolder) -> Iterator[Leftover]:
    """Yield all that may go, study by study; deletes nothing."""
    for name in ledger.study_names():
        if not place.lease(name).is_held():
            yield from _of_study(ledger, place, name)
    yield from _of_cache(ledger, place)


def clear_leftovers(ledger: Ledger, place: WorkspaceFolder) -> Iterator[Leftover]:
    """Delete all that may go, and yield what is gone; no study starts meanwhile."""
    for name in ledger.study_names():
        with suppress(LockHeldError), place.lease(name):
            yield from [each for each in _of_study(ledger, place, name) if each.remove()]
    yield from (each for each in _of_cache(ledger, place) if each.remove())


def _of_study(ledger: Ledger, place: WorkspaceFolder, name: str) -> Iterator[Leftover]:
    study = ledger.study(name)
    if study is None:
        return
    trials = ledger.trials(name)
    yield from _orphans(ledger, place, name, trials)
    needed = {source for row in _unfinished(ledger) for source in _sources(row["resolved"])}
    if study["is_finished"] and name not in needed:
        yield from _of_finished(ledger, place, study, trials)


def _of_cache(ledger: Ledger, place: WorkspaceFolder) -> Iterator[Leftover]:
    since = min((row["created_at"] for row in _unfinished(ledger)), default=math.inf)
    for entry in entries(place.folder / "cache" / "samples"):
        if last_opened(entry) < since:
            yield Leftover("cache", "", entry, used_bytes(entry))


def _unfinished(ledger: Ledger) -> list[RowMapping]:
    rows = (ledger.study(name) for name in ledger.study_names())
    return [row for row in rows if row is not None and not row["is_finished"]]


def _of_finished(
    ledger: Ledger, place: WorkspaceFolder, study: RowMapping, trials: Sequence[RowMapping]
) -> Iterator[Leftover]:
    name = study["name"]
    folders = [place.folder / trial["folder"] for trial in trials]
    for pattern in CHECKPOINTS:
        for folder in folders:
            for file in sorted(folder.glob(pattern)):
                yield Leftover("checkpoints", name, file, file.stat().st_size)
    spec = StudySpec.model_validate(study["resolved"])
    record = read_study(ledger, place.folder, name)
    by_cell: dict[str, list[RowMapping]] = {}
    for trial in trials:
        by_cell.setdefault(trial["cell"], []).append(trial)
    kept = {
        best_weights(place.folder, by_cell[cell])
        for cell in kept_cells(spec, record)
        if cell in by_cell
    }
    for folder in folders:
        for file in sorted(folder.glob(WEIGHTS)):
            if file not in kept:
                yield Leftover("weights", name, file, file.stat().st_size)


def _orphans(
    ledger: Ledger, place: WorkspaceFolder, study: str, trials: Sequence[RowMapping]
) -> Iterator[Leftover]:
    rows = (*trials, *ledger.test_scores(study).values(), *ledger.all_assemblies(study))
    known = {place.folder / row["folder"] for row in rows}
    parent = place.study(study) / "trials"
    for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
        if folder.is_dir() and folder not in known and not folder.is_symlink():
            yield Leftover("orphans", study, folder, used_bytes(folder))


def _sources(value: Any) -> Iterator[str]:  # noqa: ANN401 - settings of any kind
    """Yield the studies that settings name to start from, at any depth."""
    if isinstance(value, str):
        if value.startswith(OF_RUN):
            yield value.removeprefix(OF_RUN).partition("/")[0]
    elif isinstance(value, dict):
        for each in value.values():
            yield from _sources(each)
    elif isinstance(value, list):
        for each in value:
            yield from _sources(each)
