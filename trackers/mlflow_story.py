"""Write a study's story into its experiment: a page that says what won before anything is clicked.

Only what differs from what is there is written, so that telling a story twice changes nothing, and
telling another one moves the marks.
"""

import json
from collections.abc import Iterator, Mapping

from mlflow import MlflowClient
from mlflow.entities import Experiment, Run, RunTag

from trackers.mlflow_registry import register
from trackers.mlflow_server import VIEW_TAG, curves_url, report_url, run_url
from trackers.records import StudyRecord
from trackers.run_facts import SUMMARY_RUN, TAG, stored_name
from trackers.study_story import SIGNS, WINNER, Addresses, Mark, Story, study_note

NOTE, NAME, COLOUR = "mlflow.note.content", "mlflow.runName", "mlflow.runColor"
ROLE_TAG = f"{TAG}role"
COLOURS = {WINNER: "#d55e00"}  # Okabe and Ito's vermilion, as in the report
OTHER_COLOUR = "#e69f00"  # their orange
LONGEST_EXPERIMENT_TAG = 5000  # characters
# Where a column of the table of runs may be.
_TAGS, _METRICS = "tags", "metrics"


def tell(client: MlflowClient, experiment: Experiment, story: Story, study: StudyRecord) -> None:
    """Mark the winners' runs, describe the experiment, and register the winning models."""
    runs = dict(_runs_of(client, experiment, story))
    for cell, run in runs.items():
        _mark(client, run, story.marks.get(cell))
    _describe(client, experiment, study, _addresses(client, experiment, story, runs=runs))
    for champion in story.champions:
        trained = [runs[cell] for cell in champion.trained if cell in runs]
        register(client, experiment, story, champion=champion, runs=trained)


def winners_first(study: StudyRecord) -> str:
    """Return the view of an experiment that MLflow's menu "Views" offers: best first.

    It is in the form in which MLflow 3.17 keeps the views that people save.
    """
    objective = _column(_METRICS, stored_name(f"final/{study.metric}"))
    state = {
        "orderByKey": objective,
        "orderByAsc": study.direction == "minimize",
        "selectedColumns": [
            objective,
            *(_column(_TAGS, f"{TAG}{name}") for name in ("varied", "seed", "won", "outcome")),
        ],
    }
    at_ms = round(study.created_at * 1000)
    view = {
        "name": "Best first",
        "createdAt": at_ms,
        "updatedAt": at_ms,
        "state": json.dumps(state),
    }
    return json.dumps(view)


def _runs_of(
    client: MlflowClient, experiment: Experiment, story: Story
) -> Iterator[tuple[str, Run]]:
    """Yield the runs that are to be marked, and those that are and shall no longer be."""
    here = [experiment.experiment_id]
    for cell in story.marks:
        for run in client.search_runs(here, f"tags.`{TAG}cell` = '{cell}'")[:1]:
            yield cell, run
    for run in client.search_runs(here, f"tags.`{ROLE_TAG}` LIKE '%'"):
        if run.data.tags[f"{TAG}cell"] not in story.marks:
            yield run.data.tags[f"{TAG}cell"], run


def _mark(client: MlflowClient, run: Run, mark: Mark | None) -> None:
    """Give a run its winner's signs, or take them away."""
    stored = run.data.tags
    plain = stored.get(NAME, "")
    for sign in SIGNS.values():
        plain = plain.removeprefix(f"{sign} ")
    wanted = {NAME: plain}
    if mark is not None:
        wanted = {
            NAME: f"{SIGNS[mark.role]} {plain}",
            ROLE_TAG: mark.role,
            f"{TAG}won": ", ".join(mark.stages),
            COLOUR: COLOURS.get(mark.role, OTHER_COLOUR),
            NOTE: mark.note[:LONGEST_EXPERIMENT_TAG],
        }
    changed = [RunTag(key, value) for key, value in wanted.items() if stored.get(key) != value]
    if changed:
        client.log_batch(run.info.run_id, tags=changed, synchronous=True)
    if mark is None:
        for key in (f"{TAG}won", COLOUR, NOTE, ROLE_TAG):  # the one it is found by goes last
            if key in stored:
                client.delete_tag(run.info.run_id, key)


def _addresses(
    client: MlflowClient, experiment: Experiment, story: Story, *, runs: Mapping[str, Run]
) -> Addresses:
    """Return where winners and report are shown, as links from any page of the same server."""
    here, metric = experiment.experiment_id, stored_name(story.metric)
    curves: dict[str, str] = {}
    for champion in story.champions:
        trained = [runs[cell] for cell in champion.trained if cell in runs]
        ids = [run.info.run_id for run in trained if metric in run.data.metrics]
        curves |= {champion.model: curves_url(here, ids, metric)} if ids else {}
    summary = client.search_runs([here], f"tags.`{TAG}kind` = '{SUMMARY_RUN}'")
    return Addresses(
        runs={cell: run_url("", here, run.info.run_id)[1:] for cell, run in runs.items()},
        curves=curves,
        report=report_url(here, summary[0].info.run_id) if summary else "",
    )


def _describe(
    client: MlflowClient, experiment: Experiment, study: StudyRecord, addresses: Addresses
) -> None:
    """Say what won at the head of every page of the experiment, and how to look at its runs."""
    note = study_note(study, addresses)
    wanted = {
        NOTE: note if len(note) <= LONGEST_EXPERIMENT_TAG else f"{note[:4999]}…",
        VIEW_TAG: winners_first(study),
        f"{TAG}task": study.task,
        # Opens its runs and not its (no) traces, and its charts with the objective.
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.experiment.primaryMetric.name": stored_name(study.metric),
        "mlflow.experiment.primaryMetric.greaterIsBetter": str(study.direction == "maximize"),
    }
    for key, value in wanted.items():
        if experiment.tags.get(key) != value:
            client.set_experiment_tag(experiment.experiment_id, key, value)


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"
