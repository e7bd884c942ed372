"""A coordinator that hears nothing for a while holds up no trial."""

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from studies.running.trial_line import ASKS, PROGRESS, WROTE, WireLine

MESSAGES = 20_000  # more than a pipe takes
PATIENCE_S = 60


@pytest.fixture
def ends() -> Iterator[tuple[Connection, WireLine]]:
    """Return the coordinator's end of a line, and the trial's; nobody reads the one by itself."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ours, theirs = multiprocessing.Pipe()
    line = WireLine(theirs)
    line.listen()
    yield ours, line
    ours.send_bytes(b"stop")  # a line that breaks would end this process
    while not line.should_stop():
        pass
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_trial_goes_on_and_says_the_newest_when_it_is_heard_again(
    ends: tuple[Connection, WireLine],
) -> None:
    ours, line = ends

    def train() -> None:
        for step in range(MESSAGES):
            line.say((PROGRESS, 1, step, MESSAGES))
            line.say((WROTE,))
        line.say((ASKS, 1))

    training = threading.Thread(target=train, daemon=True)
    training.start()
    training.join(PATIENCE_S)
    assert not training.is_alive(), "it waits for somebody to listen"

    heard = [ours.recv()]
    while heard[-1] != (ASKS, 1):
        heard.append(ours.recv())
    while ours.poll(0.2):
        heard.append(ours.recv())
    assert [each for each in heard if each[0] == PROGRESS][-1] == (
        PROGRESS,
        1,
        MESSAGES - 1,
        MESSAGES,
    )
    assert heard.count((ASKS, 1)) == 1
    assert len(heard) < MESSAGES
