"""Where in MLflow each cell has its run, kept beside the study, so that no report has to ask.

A line per run in `mlflow_runs.jsonl` of the study's folder, written when a run is made or found;
of several lines of a cell the last one holds. A server that is away, or a report that is written
where there is no MLflow, then costs neither a link nor a wait.
"""

import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

FILE = "mlflow_runs.jsonl"
UI = "http://127.0.0.1:5000"  # where `visionstudy ui` shows a database, if nothing else is said


class RunRegister:
    """Notes runs of one MLflow store."""

    def __init__(self, studies: Path, tracking_uri: str) -> None:
        """Note runs in the folders of studies.

        Args:
            studies: The folder with a folder per study.
            tracking_uri: MLflow's server or database.
        """
        self._studies = studies
        self._base = ui_address(tracking_uri)
        self._known: dict[str, dict[str, str]] = {}  # study -> cell -> address

    def note(self, study: str, cell: str, path: str) -> None:
        """Keep a run's address; one that is known costs nothing.

        Args:
            study: Its name.
            cell: Its id.
            path: Of the run's page on the server: "/#/experiments/1/runs/…".
        """
        folder = self._studies / study
        if study not in self._known:
            self._known[study] = run_addresses(folder)
        known = self._known[study]
        address = f"{self._base}{path}"
        if known.get(cell) == address:
            return
        line = json.dumps({"cell": cell, "address": address}) + "\n"
        with suppress(OSError):  # a full disk costs a link, and must not look like a server away
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / FILE).open("a", encoding="utf-8") as stream:
                stream.write(line)
            known[cell] = address


def run_addresses(folder: Path) -> dict[str, str]:
    """Return the page of every cell of a study that has a run: cell id -> address.

    Args:
        folder: The study's own.
    """
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    except OSError:  # no run was noted yet, or it cannot be read: a report without links
        return {}
    found: dict[str, str] = {}
    for line in lines:
        try:
            noted = json.loads(line)
            found[noted["cell"]] = noted["address"]
        except (ValueError, KeyError, TypeError):
            continue  # cut by a crash: the next upload of the cell notes it again
    return found


def ui_address(tracking_uri: str) -> str:
    """Return where a browser sees what is tracked, without any password."""
    parts = urlsplit(tracking_uri)
    if parts.scheme not in ("http", "https"):
        return UI
    port = f":{parts.port}" if parts.port else ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"
