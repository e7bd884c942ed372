"""`visionstudy retry`: cells that ended without a result are planned again."""

from typing import Any

import pytest

from studies.running.file_lock import FileLock
from studies.running.requests import RequestDesk, forget_stops
from studies.tree.ledger import CellEnd
from trackers.records import Outcome

Office = Any  # of conftest.py, which cannot be imported


def test_a_failed_cell_is_run_again_and_decides_its_stage_anew(office: Office) -> None:
    (failed,) = _ended(office, "failed")

    text = office.ask("retry", "demo", failed["id"][:6])
    office.launch()

    assert f"planned again: {failed['id']}; launch study 'demo' to go on" in text
    (again,) = [cell for cell in office.cells() if cell["id"] == failed["id"]]
    assert (again["outcome"], again["attempts"]) == ("complete", 2)
    record = office.record()
    decided = {each.configuration: each for each in record.stages[0].decisions[0].candidates}
    assert decided["1.1"].missing == ()


def test_all_that_failed_includes_what_is_infeasible(office: Office) -> None:
    bad = {cell["id"] for cell in [*_ended(office, "failed"), *_ended(office, "infeasible")]}

    office.ask("retry", "demo", "--failed")

    assert {cell["id"] for cell in office.cells() if cell["outcome"] is None} == bad
    assert not office.told("status", "demo")["is_finished"]


def test_retried_cells_begin_with_whole_micro_batches_and_forgiven_faults(office: Office) -> None:
    (failed,) = _ended(office, "failed")
    ledger = office.ledger()
    ledger.reopen("demo", [failed["id"]])
    (trial,) = ledger.trials("demo", failed["id"])
    ledger.close()

    assert (trial["next_micro_batch_divisor"], trial["is_fault"]) == (1, False)


def test_a_cell_with_a_result_is_not_tried_again(office: Office) -> None:
    cell = _ended(office, "complete")[0]

    text = office.ask("retry", "demo", cell["id"], exit_code=2)

    assert f"cell {cell['id']} must have ended without a result" in text
    assert "is complete" in text


def test_a_pruned_cell_stays_as_its_search_decided(office: Office) -> None:
    cell = _ended(office, "complete")[0]
    ledger = office.ledger()
    ledger.settle("demo", CellEnd(cell["id"], Outcome.PRUNED, "", {}, None, 1.0, 1.0))
    ledger.close()

    text = office.ask("retry", "demo", cell["id"], exit_code=2)

    assert "is pruned, which its search decided and would again" in text


def test_retry_must_be_told_which_cells(office: Office) -> None:
    assert "name them, or take all that failed" in office.ask("retry", "demo", exit_code=2)


@pytest.mark.parametrize("verb", ["stop", "status", "report"])
def test_an_unknown_study_is_refused_by_every_verb(office: Office, verb: str) -> None:
    text = office.ask(verb, "demp", exit_code=2)

    assert "unknown study 'demp'" in text
    assert "did you mean 'demo'?" in text


def test_a_study_that_runs_is_asked_to_retry(office: Office) -> None:
    (failed,) = _ended(office, "failed")
    with FileLock(office.place.study("demo") / "lease"):
        text = office.ask("retry", "demo", failed["id"])

        ledger = office.ledger()
        asked = RequestDesk(ledger, "demo").take()
        left = ledger.open_requests("demo")
        ledger.close()

    assert "to try again" in text
    assert (asked.reopened, asked.stops, left) == ((failed["id"],), False, ())


def test_a_request_is_looked_for_at_most_once_a_second(office: Office) -> None:
    ledger = office.ledger()
    desk = RequestDesk(ledger, "demo")
    desk.take()

    assert not desk.is_due()
    ledger.close()


def test_a_stop_that_was_asked_of_an_earlier_process_stops_no_later_one(office: Office) -> None:
    ledger = office.ledger()
    ledger.ask("demo", "stop")
    ledger.ask("demo", "kill")
    ledger.ask("demo", "retry", cell=_ended(office, "failed")[0]["id"])

    forget_stops(ledger, "demo")

    assert [row["kind"] for row in ledger.open_requests("demo")] == ["retry"]
    ledger.close()


def test_nothing_is_stopped_where_nobody_runs_the_study(office: Office) -> None:
    assert "nobody runs study 'demo'" in office.ask("stop", "demo")


def test_a_process_that_does_not_stop_in_time_is_told(office: Office) -> None:
    with FileLock(office.place.study("demo") / "lease"):
        text = office.ask("stop", "demo", "--timeout", "0", exit_code=1)

    assert "still runs after 0 s" in text


def _ended(office: Office, outcome: str) -> list[dict[str, Any]]:
    return [cell for cell in office.cells() if cell["outcome"] == outcome]
