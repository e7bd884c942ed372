"""The files of a run in MLflow: artifacts, and best weights as a LoggedModel.

Weights go in as they are, a state_dict and the settings that rebuild its network, because MLflow's
own formats pickle code or cannot export detectors.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric, Run, RunTag
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from trackers.run_facts import TAG, Point, RunFacts, weights_stamp
from trackers.tracker import CellUpload
from trackers.upload_queue import UploadRefusedError

FILES_TAG = f"{TAG}files"  # the stamp of the files that a run holds
WEIGHTS_TAG = f"{TAG}weights"  # the stamp of the training that a model is of
_FORBIDDEN_IN_MODEL_NAMES = re.compile(r"[/:.%\"']+")


def store_files(
    client: MlflowClient, run: Run, files: Mapping[str, Path | str], *, stamp: str
) -> None:
    """Store a run's artifacts unless it is marked with the same stamp; the caller marks it.

    Args:
        client: where to.
        run: the run as it is stored.
        files: name among the artifacts -> the file, or its text.
        stamp: says which state of the run the files show.

    Raises:
        UploadRefusedError: a file is not there; the others are stored.
    """
    if run.data.tags.get(FILES_TAG) == stamp:
        return
    there = {name: each for name, each in files.items() if isinstance(each, str) or each.is_file()}
    # The client's own `log_artifacts` would read the run again to learn this address.
    artifacts = get_artifact_repository(run.info.artifact_uri, client.tracking_uri)
    with _folder_of(there) as folder:
        artifacts.log_artifacts(str(folder))  # type: ignore[no-untyped-call]  # MLflow's
    if lost := [f"{name} ({each})" for name, each in files.items() if name not in there]:
        raise UploadRefusedError(f"artifacts must exist until stored, missing: {', '.join(lost)}")


def store_weights(client: MlflowClient, run: Run, upload: CellUpload, *, facts: RunFacts) -> None:
    """Store a cell's best weights as the one model of its run, unless they are stored.

    Raises:
        UploadRefusedError: the file is not there.
    """
    if upload.weights is None:
        return
    model = _only_model(client, run, stamp=weights_stamp(upload))
    if model is not None and model.status == LoggedModelStatus.READY:
        return
    if not upload.weights.is_file():
        raise UploadRefusedError(f"weights must exist until stored, missing: {upload.weights}")
    if model is None:
        model = _create_model(client, run, upload, facts=facts)
    files: dict[str, Path | str] = {
        f"weights{upload.weights.suffix}": upload.weights,
        "config.yaml": upload.resolved_config(),
    }
    with _folder_of(files) as folder:
        client.log_model_artifacts(model.model_id, str(folder))
    _link(client, run, model, points=facts.final)
    client.finalize_logged_model(model.model_id, "READY")


def _only_model(client: MlflowClient, run: Run, *, stamp: str) -> LoggedModel | None:
    """Return the run's model of these weights; models of earlier attempts are deleted."""
    models = client.search_logged_models(
        [run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
    )
    of_these = [each for each in models if each.tags.get(WEIGHTS_TAG) == stamp]
    of_these.sort(key=lambda each: (each.status != LoggedModelStatus.READY, each.model_id))
    for each in models:
        if each not in of_these[:1]:
            client.delete_logged_model(each.model_id)
    return of_these[0] if of_these else None


def _create_model(
    client: MlflowClient, run: Run, upload: CellUpload, *, facts: RunFacts
) -> LoggedModel:
    tags = {key: facts.tags[f"{TAG}{key}"] for key in ("study", "cell", "configuration", "seed")}
    return client.create_logged_model(
        run.info.experiment_id,
        name=_FORBIDDEN_IN_MODEL_NAMES.sub("_", facts.name),
        source_run_id=run.info.run_id,
        tags={f"{TAG}{key}": value for key, value in tags.items()}
        | {WEIGHTS_TAG: weights_stamp(upload)},
        params=dict(facts.params),
        model_type=f"visionstudy/{upload.task}",
    )


def _link(client: MlflowClient, run: Run, model: LoggedModel, *, points: Sequence[Point]) -> None:
    """Show the final metrics on the model, and the model on the run."""
    metrics = [
        Metric(each.name, each.value, each.time_ms, each.step, model_id=model.model_id)
        for each in points
    ]
    tags = [RunTag(WEIGHTS_TAG, model.tags[WEIGHTS_TAG])]
    client.log_batch(run.info.run_id, metrics=metrics, tags=tags, synchronous=True)
    outputs = client.get_run(run.info.run_id).outputs
    linked = {each.model_id for each in outputs.model_outputs} if outputs else set()
    if model.model_id not in linked:  # MLflow would link it twice
        step = max((each.step for each in points), default=0)
        client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step=step)])


@contextmanager
def _folder_of(files: Mapping[str, Path | str]) -> Iterator[Path]:
    """Lay out files under the names they are to have, because MLflow keeps names and folders."""
    with tempfile.TemporaryDirectory(prefix="visionstudy-") as folder:
        for name, content in files.items():
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                target.write_text(content, encoding="utf-8")
            else:
                target.symlink_to(content.resolve())
        yield Path(folder)
