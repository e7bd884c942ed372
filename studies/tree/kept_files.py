"""The files that a cell's trials kept, by role, as their "finished" events name them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import RowMapping

from studies.tree.cell_history import read_history
from trackers.event_log import Event
from trackers.records import Outcome

WEIGHTS = "weights"


def files_of(folder: Path, end: Event | None) -> dict[str, Path]:
    """Return the files of an attempt that ended, as far as they are still there."""
    if end is None or end.name != "finished":
        return {}
    named: dict[str, str] = end.fields.get("files", {})
    return {role: folder / name for role, name in named.items() if (folder / name).is_file()}


def trained_files(
    workspace: Path, trials: Sequence[RowMapping], ends: Mapping[str, Event | None] | None = None
) -> dict[str, Path]:
    """Return what the trial that completed a cell kept; nothing before it is complete.

    Args:
        workspace: Its folder.
        trials: The cell's, oldest first.
        ends: How those ended whose logs were read already, by folder.
    """
    complete = [each for each in trials if each["outcome"] == Outcome.COMPLETE]
    if not complete:
        return {}
    name = complete[-1]["folder"]
    folder = workspace / name
    end = ends[name] if ends and name in ends else read_history([folder]).end
    return files_of(folder, end)


def tested_files(workspace: Path, row: RowMapping | None) -> dict[str, Path]:
    """Return what a stage winner's look at the test split kept."""
    if row is None or row["outcome"] != Outcome.COMPLETE:
        return {}
    folder = workspace / row["folder"]
    return files_of(folder, read_history([folder]).end)
