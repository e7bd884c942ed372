"""Optuna's database holds what ended, in order, and a broken one stops nobody."""

import logging
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from studies.search.optuna_copy import OptunaCopy
from studies.search.storage import open_storage

NAME = "demo / batch"
DIRECTIONS = ("maximize",)


def ended(batch: int, value: float | None = 0.5) -> FrozenTrial:
    return optuna.trial.create_trial(
        state=TrialState.FAIL if value is None else TrialState.COMPLETE,
        value=value,
        params={"batch": batch},
        distributions={"batch": CategoricalDistribution([1, 2, 4])},
        user_attrs={"values": {"seed 0": value}},
        intermediate_values={1: 0.1},
    )


def trials_of(storage: BaseStorage) -> list[FrozenTrial]:
    return optuna.load_study(study_name=NAME, storage=storage).trials


def batches(storage: BaseStorage) -> list[int]:
    return [trial.params["batch"] for trial in trials_of(storage)]


def follow(storage: BaseStorage, *trials: FrozenTrial | None) -> None:
    """Copy what an engine finds at launch."""
    copy = OptunaCopy(lambda: storage)
    copy.follow(NAME, DIRECTIONS, trials)
    copy.close()


def test_a_trial_that_ends_before_an_earlier_one_waits_for_it(database: RDBStorage) -> None:
    copy = OptunaCopy(lambda: database)
    copy.follow(NAME, DIRECTIONS, [None, None])
    for number, batch in ((1, 2), (0, 1)):
        copy.add(NAME, DIRECTIONS, number=number, trial=ended(batch))
    copy.close()
    assert batches(database) == [1, 2]
    assert trials_of(database)[0].intermediate_values == {1: 0.1}


def test_a_further_launch_writes_only_what_lacks(database: RDBStorage) -> None:
    follow(database, ended(1))
    first = trials_of(database)[0]._trial_id
    follow(database, ended(1), ended(2, None))
    assert batches(database) == [1, 2]
    assert trials_of(database)[0]._trial_id == first


@pytest.mark.parametrize(
    "trials",
    [(ended(4), ended(2)), (ended(1, 0.9), ended(2)), (ended(1),), (ended(1), None)],
    ids=["another configuration", "another result", "fewer", "one is run again"],
)
def test_what_is_not_as_the_ledger_has_it_is_written_anew(
    database: RDBStorage, trials: tuple[FrozenTrial | None, ...]
) -> None:
    follow(database, ended(1), ended(2))
    follow(database, *trials)
    known = [each for each in trials if each is not None]
    assert [(each.params, each.value) for each in trials_of(database)] == [
        (each.params, each.value) for each in known
    ]


def test_another_direction_is_written_anew(database: RDBStorage) -> None:
    follow(database, ended(1))
    copy = OptunaCopy(lambda: database)
    copy.follow(NAME, ["minimize"], [ended(1)])
    copy.close()
    study = optuna.load_study(study_name=NAME, storage=database)
    assert study.direction.name == "MINIMIZE"


def test_optunas_own_pictures_can_be_drawn(database: RDBStorage) -> None:
    follow(database, *(ended(batch, batch / 10) for batch in (1, 2, 4, 1)))
    study = optuna.load_study(study_name=NAME, storage=database)
    history = optuna.visualization.plot_optimization_history(study)
    assert len(history.data[0].x) == 4
    assert study.best_params == {"batch": 4}


def test_a_database_that_cannot_be_opened_is_said_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> BaseStorage:
        raise OSError(28, "No space left on device")

    copy = OptunaCopy(refuse)
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            copy.add(NAME, DIRECTIONS, number=number, trial=ended(1))
        copy.close()
    assert [record.message for record in caplog.records] == [
        "Optuna's copy of the study is left as it is (OSError: [Errno 28] No space left on "
        "device); the next launch brings it up to date"
    ]
    storage = open_storage(tmp_path / "optuna.db")
    follow(storage, ended(1), ended(2))
    assert batches(storage) == [1, 2], "the next launch"
    storage.engine.dispose()
