"""What the engine is compared with: the same 20 reports per trial by other tools.

Each contender is filled with earlier trials and then runs some more, in this process.
"""

import os
import time
from pathlib import Path
from typing import Any, Protocol

import optuna
from mlflow import MlflowClient
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import RandomSampler

from benchmarks.earlier_trials import multiply_mlflow, multiply_optuna, newest_run
from trackers.mlflow_client import mlflow_client
from trackers.mlflow_database import prepare_database

REPORTS = 20
LOGGED = ("score", "seconds", "images_seen", "epoch")  # of every step
SPACE: dict[str, BaseDistribution] = {
    "training.learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    "training.weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
}


class Contender(Protocol):
    """Something that runs trials."""

    name: str

    def run(self, trials: int) -> float:
        """Run some trials; return the seconds of each."""


class BareOptuna:
    """Ask, 20 reports, tell; in memory, or in a SQLite file."""

    def __init__(self, folder: Path | None, earlier: int) -> None:
        self.name = "Optuna in memory" if folder is None else "Optuna SQLite"
        storage = None
        if folder is not None:
            folder.mkdir(parents=True)
            storage = f"sqlite:///{folder / 'optuna.db'}"
        self._study = _study(storage)
        if folder is None:
            for _ in range(earlier):
                self._study.add_trial(_earlier_trial())
        elif earlier:
            _run_trial(self._study)
            multiply_optuna(folder / "optuna.db", earlier - 1)
            self._study = _study(storage)

    def run(self, trials: int) -> float:
        """Run some trials; return the seconds of each."""
        started = time.perf_counter()
        for _ in range(trials):
            _run_trial(self._study)
        return (time.perf_counter() - started) / trials


class OptunaAndMlflow:
    """Optuna in SQLite and, per step, `log_metric` into MLflow's SQLite: the usual pair.

    Both databases are as the libraries make them. MLflow gets of each step what ours has in it.
    """

    name = "Optuna SQLite + MLflow per step"

    def __init__(self, folder: Path, earlier: int) -> None:
        folder.mkdir(parents=True)
        self._client = mlflow_client(f"sqlite:///{folder / 'mlflow.db'}")
        location = (folder / "artifacts").as_uri()
        self._experiment = self._client.create_experiment("demo", location)
        storage = f"sqlite:///{folder / 'optuna.db'}"
        self._study = _study(storage)
        if earlier:
            _run_trial(self._study, self._client, self._experiment)
            multiply_optuna(folder / "optuna.db", earlier - 1)
            multiply_mlflow(folder / "mlflow.db", newest_run(folder / "mlflow.db"), earlier - 1)
            self._study = _study(storage)

    def run(self, trials: int) -> float:
        """Run some trials; return the seconds of each."""
        started = time.perf_counter()
        for _ in range(trials):
            _run_trial(self._study, self._client, self._experiment)
        return (time.perf_counter() - started) / trials


class RayTune:
    """Ray Tune with OptunaSearch and MLflow's callback, one trial at a time."""

    name = "Ray Tune + OptunaSearch + MLflow"

    def __init__(self, folder: Path, earlier: int) -> None:
        folder.mkdir(parents=True)
        prepare_database(folder / "mlflow.db")
        self._folder = folder
        self._earlier = earlier
        self._round = 0
        if earlier:
            client = mlflow_client(self._uri)
            experiment = client.create_experiment("demo", (folder / "artifacts").as_uri())
            run = client.create_run(experiment)
            for step in range(REPORTS):
                client.log_metric(run.info.run_id, "score", 0.5, step=step)
            client.set_terminated(run.info.run_id)
            multiply_mlflow(folder / "mlflow.db", run.info.run_id, earlier - 1)

    @property
    def _uri(self) -> str:
        return f"sqlite:///{self._folder / 'mlflow.db'}"

    def run(self, trials: int) -> float:
        """Run some trials; return the seconds of each, without starting Ray."""
        # Lazy: an optional package that takes seconds to load.
        import ray
        from ray import tune
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
        if not ray.is_initialized():
            ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
        self._round += 1
        tuner = tune.Tuner(
            _ray_trial,
            tune_config=tune.TuneConfig(
                metric="score",
                mode="max",
                search_alg=self._search(),
                num_samples=trials,
                max_concurrent_trials=1,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name=f"round-{self._round}",
                storage_path=str(self._folder),
                verbose=0,
                callbacks=[MLflowLoggerCallback(tracking_uri=self._uri, experiment_name="demo")],
            ),
        )
        started = time.perf_counter()
        tuner.fit()
        return (time.perf_counter() - started) / trials

    def _search(self) -> Any:  # noqa: ANN401  # Ray's, which is untyped
        from ray.tune.search.optuna import OptunaSearch

        search = OptunaSearch(SPACE, metric="score", mode="max", sampler=RandomSampler(seed=0))
        for _ in range(self._earlier):
            search.add_evaluated_point(dict(_earlier_trial().params), 0.5)
        return search


def _ray_trial(config: dict[str, float]) -> None:
    from ray import tune

    del config
    for step in range(REPORTS):
        tune.report({"score": step / REPORTS})


def _study(storage: str | None) -> optuna.Study:
    return optuna.create_study(
        storage=storage,
        study_name="demo",
        direction="maximize",
        sampler=RandomSampler(seed=0),
        load_if_exists=True,
    )


def _run_trial(
    study: optuna.Study, client: MlflowClient | None = None, experiment: str = ""
) -> None:
    trial = study.ask(SPACE)
    run = ""
    if client is not None:
        run = str(client.create_run(experiment).info.run_id)
        for name, value in trial.params.items():
            client.log_param(run, name, value)
    for step in range(REPORTS):
        trial.report(step / REPORTS, step)
        if client is not None:
            for name in LOGGED:
                client.log_metric(run, name, step / REPORTS, step=step)
    study.tell(trial, 1.0)
    if client is not None:
        client.set_terminated(run)


def _earlier_trial() -> optuna.trial.FrozenTrial:
    return optuna.trial.create_trial(
        value=0.5,
        params={"training.learning_rate": 1e-3, "training.weight_decay": 1e-4},
        distributions=SPACE,
        intermediate_values={step: step / REPORTS for step in range(REPORTS)},
    )
