from collections.abc import Callable
from typing import Any

import pytest

from models.scoring import score_test
from models.session import Interrupted
from models.training import train


def test_winner_is_scored_on_the_test_split_as_in_training(attempts: Callable[..., Any]) -> None:
    cell = attempts(scores_test=True)
    result = train(cell.session())
    scored = score_test(cell.session(seed=99), cell.folders[0] / result.files["weights"])
    expected = {name: value for name, value in result.metrics.items() if name.startswith("test/")}
    assert scored.metrics == expected
    assert scored.best_epoch == result.best_epoch
    assert (cell.folders[1] / scored.files["predictions_test"]).is_file()


def test_dataset_without_a_test_split_is_told(
    attempts: Callable[..., Any], tiny_data: Callable[..., Any]
) -> None:
    class Untested(tiny_data):  # type: ignore[misc,valid-type]
        def test(self, batch_size: int) -> None:
            """Have none."""

    cell = attempts(data=Untested())
    result = train(cell.session())
    scored = score_test(cell.session(), cell.folders[0] / result.files["weights"])
    assert scored.metrics == {}
    assert scored.note == "the dataset has no test split"


def test_scoring_can_be_stopped(attempts: Callable[..., Any]) -> None:
    cell = attempts()
    result = train(cell.session())
    with pytest.raises(Interrupted):
        score_test(cell.session(stop_at_poll=2), cell.folders[0] / result.files["weights"])
