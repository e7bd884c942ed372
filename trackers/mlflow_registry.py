"""Winners' networks in MLflow's model registry: one version per winner, the newest one `champion`.

A version is found by the stamp of its weights before it is created, as runs are by their tags.
"""

from collections.abc import Mapping, Sequence

from mlflow import MlflowClient
from mlflow.entities import Experiment, LoggedModel, LoggedModelStatus, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from trackers.mlflow_files import WEIGHTS_TAG
from trackers.run_facts import TAG
from trackers.study_story import Champion, Story

ALIAS = "champion"


def register(
    client: MlflowClient,
    experiment: Experiment,
    story: Story,
    *,
    champion: Champion,
    runs: Sequence[Run],
) -> None:
    """Register the best network of a winner's, once its weights are stored.

    Args:
        client: where to.
        experiment: the study's.
        story: the study's.
        champion: the winner.
        runs: of its trained cells, best first.
    """
    found = ((run, _stored_model(client, experiment, run)) for run in runs)
    run, model = next(((run, model) for run, model in found if model), (None, None))
    if run is None or model is None:
        return
    aliases = _require_name(client, story, champion)
    version = _version(client, champion, run, model=model, tags=_tags(story, champion, run, model))
    if aliases.get(ALIAS) != str(version.version):
        client.set_registered_model_alias(champion.model, ALIAS, str(version.version))


def _stored_model(client: MlflowClient, experiment: Experiment, run: Run) -> LoggedModel | None:
    models = client.search_logged_models(
        [experiment.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
    )
    ready = (each for each in models if each.status == LoggedModelStatus.READY)
    return next(ready, None)


def _require_name(client: MlflowClient, story: Story, champion: Champion) -> Mapping[str, str]:
    """Create the registered model unless it is there; return its aliases with their versions."""
    try:
        known = client.get_registered_model(champion.model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        tags = {f"{TAG}study": story.study}
        known = client.create_registered_model(champion.model, tags, f"Winners of {story.study}")
    return {alias: str(version) for alias, version in known.aliases.items()}


def _version(
    client: MlflowClient,
    champion: Champion,
    run: Run,
    *,
    model: LoggedModel,
    tags: Mapping[str, str],
) -> ModelVersion:
    """Return the winner's one version with these tags."""
    there = client.search_model_versions(f"name = '{champion.model}'")
    same = [each for each in there if each.tags.get(WEIGHTS_TAG) == tags[WEIGHTS_TAG]]
    same = [each for each in same if each.tags.get(f"{TAG}cell") == tags[f"{TAG}cell"]]
    if not same:
        return client.create_model_version(
            champion.model,
            source=model.artifact_location,
            run_id=run.info.run_id,
            tags=dict(tags),
            description=f"{champion.label}; winner of {champion.stage}",
            model_id=model.model_id,
            await_creation_for=0,  # else it says in the launch's output that it waits
        )
    # Of an attempt whose answer came too late, there may be two.
    kept, *doubles = sorted(same, key=lambda each: int(each.version))
    for double in doubles:
        client.delete_model_version(champion.model, str(double.version))
    for key, value in tags.items():
        if kept.tags.get(key) != value:
            client.set_model_version_tag(champion.model, str(kept.version), key, value)
    return kept


def _tags(story: Story, champion: Champion, run: Run, model: LoggedModel) -> dict[str, str]:
    best = next(cell for cell in champion.cells if (cell.source or cell.id) == _cell(run))
    value = best.metrics.get(story.metric)
    return {
        WEIGHTS_TAG: model.tags[WEIGHTS_TAG],
        f"{TAG}cell": _cell(run),
        f"{TAG}stage": champion.stage,
        f"{TAG}configuration": champion.configuration,
        f"{TAG}seed": str(best.seed),
        f"{TAG}metric": story.metric,
        f"{TAG}value": "" if value is None else f"{value:.6g}",
    }


def _cell(run: Run) -> str:
    return str(run.data.tags[f"{TAG}cell"])
