"""Who may have trials killed."""

import os
import signal

from studies.running.stopping import StopRequest, stop_on_signals


def test_further_reasons_to_stop_kill_nothing_and_the_first_one_stays() -> None:
    stop = StopRequest()
    assert not stop.is_made
    stop.ask("disk full")
    stop.ask("3 cells failed alike")
    assert (stop.is_made, stop.kills, stop.reason) == (True, False, "disk full")
    assert not stop.is_by_signal


def test_the_second_ctrl_c_of_a_person_kills() -> None:
    with stop_on_signals() as stop:
        stop.ask("budget.study.time: 1h used")
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_by_signal
        assert not stop.kills
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.kills


def test_a_machine_that_terminates_twice_kills_nothing() -> None:
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert (stop.reason, stop.kills) == ("terminated (SIGTERM)", False)


def test_who_asks_to_stop_now_is_obeyed_at_once() -> None:
    stop = StopRequest()
    stop.kill("asked by visionstudy stop")
    assert (stop.is_made, stop.kills) == (True, True)
