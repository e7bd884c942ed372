"""Every check, one after the other; one that cannot be made is told as such."""

from collections.abc import Callable, Iterator

from studies.health.check import Check
from studies.health.disk import check_disk
from studies.health.machine import check_machine
from studies.health.packages import check_packages
from studies.health.services import check_services
from studies.running.workspace import WorkspaceFolder
from trackers.redaction import redact

Group = Callable[[], Iterator[Check]]


def check_up(place: WorkspaceFolder, tracking_uri: str | None) -> Iterator[Check]:
    """Yield a line for everything that was looked at.

    Args:
        place: The workspace, which need not exist yet.
        tracking_uri: An MLflow server; None: the workspace's own database.
    """
    groups: dict[str, Group] = {
        "packages": check_packages,
        "machine": check_machine,
        "disk": lambda: check_disk(place.folder),
        "services": lambda: check_services(place, tracking_uri),
    }
    for name, group in groups.items():
        try:
            yield from group()
        # Whatever is broken is what was to be found out; the others are looked at all the same.
        except Exception as error:  # noqa: BLE001
            said = redact(f"{type(error).__name__}: {error}")
            yield Check(name, "fail", f"cannot be looked at: {said}", "mend what it names")
