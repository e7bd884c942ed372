"""Score a cell from the predictions another cell saved: no training, no process."""

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

from sqlalchemy import RowMapping

from models.catalog import TASKS
from models.resolve import resolve
from studies.spec.schema import CellSettings
from studies.tree.ledger import CellEnd, Ledger
from trackers.records import Outcome

SPLITS = ("val", "test")


def rescore_cell(ledger: Ledger, workspace: Path, *, study: str, task: str, cell: str) -> CellEnd:
    """Score a cell whose source has ended."""
    row = ledger.cell(study, cell)
    source = ledger.cell(study, row["source"])
    if source["outcome"] != Outcome.COMPLETE:
        reason = f"its training (cell {source['id']}) ended {source['outcome']}"
        return CellEnd(cell, Outcome(source["outcome"]), reason, {}, None, 0.0, 0.0)
    settings = CellSettings.model_validate(row["settings"])
    folder = predictions_folder(workspace, ledger.trials(study, source["id"]))
    entry = TASKS[task]
    rescore = resolve(entry.rescore or "")
    metrics: dict[str, float] = {}
    for split in SPLITS:
        name = entry.predictions.format(split=split)
        try:
            scores = rescore(folder / name, settings.evaluation)
        except FileNotFoundError:
            continue  # that split was not scored; without any, see below
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            reason = f"saved predictions {folder / name} cannot be read: {error}"
            return CellEnd(cell, Outcome.FAILED, reason, {}, None, 0.0, 0.0)
        metrics |= {f"{split}/{key}": value for key, value in scores.items()}
    if not metrics:
        reason = f"saved predictions are missing: {folder / entry.predictions.format(split='val')}"
        return CellEnd(cell, Outcome.FAILED, reason, {}, None, 0.0, 0.0)
    return CellEnd(cell, Outcome.COMPLETE, "", metrics, source["best_epoch"], 0.0, 0.0)


def predictions_folder(workspace: Path, trials: Sequence[RowMapping]) -> Path:
    """Return the folder of the trial that completed a cell."""
    complete = [each for each in trials if each["outcome"] == Outcome.COMPLETE]
    return workspace / str(complete[-1]["folder"])
