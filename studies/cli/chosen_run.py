"""The run and the device that a verb is given by their names."""

from pathlib import Path
from typing import TYPE_CHECKING

from studies.cli.reading import fail
from studies.running.workspace import open_ledger, open_workspace

if TYPE_CHECKING:
    import torch

    from studies.predicting.choosing import ChosenRun


def choose(run: str, workspace: Path, tracking_uri: str | None) -> "ChosenRun":
    """Return the networks that a name stands for, or end with why there are none."""
    # Lazy: they load SQLAlchemy and pydantic, which `visionstudy --help` must not wait for.
    from studies.predicting.choosing import UnusableRunError, choose_run

    place = open_workspace(workspace)
    if not place.has_ledger():
        raise fail(f"{workspace} is no workspace: it has no workspace.db; launch a study first")

    def find_run(run_id: str) -> tuple[str, str] | None:
        # Lazy: MLflow takes seconds, and only a run's id needs it.
        from trackers.mlflow_lookup import cell_of_run

        return cell_of_run(tracking_uri or place.tracking_uri(), run_id)

    ledger = open_ledger(place)
    try:
        return choose_run(ledger, place.folder, run, find_run=find_run)
    except (UnusableRunError, ConnectionError) as error:
        raise fail(str(error)) from error
    finally:
        ledger.close()


def chosen_device(named: str) -> "torch.device":
    """Return where the networks run."""
    # Lazy: torch takes a second, which `visionstudy --help` must not wait for.
    import torch

    gpus = torch.cuda.device_count()
    if named == "auto":
        return torch.device("cuda" if gpus else "cpu")
    known = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{number}" for number in range(gpus))]
    if named not in known:
        raise fail(f"--device must be auto or one of {', '.join(known)} here, got '{named}'")
    return torch.device(named)
