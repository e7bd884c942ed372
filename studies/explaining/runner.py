"""Who runs a study now."""

from studies.running.file_lock import describe_holder, read_holder
from studies.running.workspace import WorkspaceFolder


def find_runner(place: WorkspaceFolder, study: str) -> str | None:
    """Name the process that holds a study's lease, and since when; None: nobody does."""
    if not place.lease(study).is_held():
        return None
    return describe_holder(read_holder(place.study(study) / "lease"))
