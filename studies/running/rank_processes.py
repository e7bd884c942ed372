"""The processes that train a trial together with the trial's own, which is the first of them.

    trial process, rank 0 ──starts──► ranks 1, 2, …    the same loop, silent; see `models.ranks`
                          ◄──group──►                  gradients, decisions
                          ◄──pipe────                  what ended one that failed by itself
                          ──lifeline─►                 they end with it, however that ends

One that dies takes the trial with it: the others would wait for it forever. The trial then counts
as lost and goes on from its checkpoint, unless the one that died could say why.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection as mp_connection
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from data_pipeline.loading.lifeline import Lifeline, end_with
from models.catalog import MODELS
from models.ranks import ALONE, Ranks
from models.spending import Meter
from studies.running.rank_ends import RankEnd, RankLost, cause_of_end
from studies.running.slot_use import redirect_output, use_slot
from studies.running.trial_order import Slot, TrialOrder
from studies.running.trial_session import Listener, make_session

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

PRELOAD = ("models.training", "data_pipeline.source", __name__)
FAREWELL_S = 5.0  # for a process to say why it ends, and to end
STUCK_S = 10.0  # after which a trial does not come back from waiting for one that died
SILENT = Listener(
    report=lambda _: None,
    report_effective=lambda _: None,
    report_progress=lambda *_: None,
    should_stop=lambda: False,
)


@contextmanager
def ranks_of(
    order: TrialOrder, slot: Slot, end_now: Callable[[Exception], None]
) -> Iterator[Ranks]:
    """Start the other processes of a trial, and end them when it is done.

    Args:
        order: Of the trial.
        slot: With the number of processes; only a training uses more than one.
        end_now: Writes down an error as the trial's end, and ends this process: it hangs.

    Raises:
        RankLost: A process died without a word.
    """
    if slot.processes == 1 or order.purpose != "train":
        yield ALONE
        return
    # Lazy: torch, which a trial of one process may not need.
    from models.process_group import ProcessGroup

    with TemporaryDirectory(prefix="visionstudy-ranks-") as folder:
        rendezvous = Path(folder) / "rendezvous"
        others = _Others(order, slot, rendezvous, end_now)
        try:
            group = ProcessGroup(0, slot.processes, rendezvous)
            yield group
            group.close()
        except RuntimeError as error:  # as waiting for one that has gone ends
            cause = others.cause_of(error)
            if cause is None:
                raise
            raise cause from error
        finally:
            others.end()


class _Others:
    """The processes of all ranks but the first."""

    def __init__(
        self,
        order: TrialOrder,
        slot: Slot,
        rendezvous: Path,
        end_now: Callable[[Exception], None],
    ) -> None:
        self._end_now = end_now
        self._is_over = threading.Event()
        self._lifeline = Lifeline()
        self._processes: dict[int, ForkServerProcess] = {}
        self._last_words: dict[int, Connection] = {}
        self._said: dict[int, Exception] = {}
        self._looking = threading.Lock()  # words, and exit codes, can be read but once
        context = get_context("forkserver")
        context.set_forkserver_preload(list(PRELOAD))
        for rank in range(1, slot.processes):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(
                target=run_rank,
                args=(order, slot, rank, rendezvous, self._lifeline.other_end, theirs),
                name=f"trial {order.cell}, rank {rank}",
            )
            process.start()
            theirs.close()
            self._processes[rank], self._last_words[rank] = process, ours
        threading.Thread(target=self._watch, daemon=True, name="ranks").start()

    def cause_of(self, error: Exception) -> Exception | None:
        """Return why a process had gone when `error` was raised; None: it is the trial's own."""
        deadline = time.monotonic() + FAREWELL_S
        waiting = [each.sentinel for each in self._processes.values()]
        while (cause := self._cause()) is None and waiting:
            ended = mp_connection.wait(waiting, max(0.0, deadline - time.monotonic()))
            if not ended:
                break
            waiting = [each for each in waiting if each not in ended]
        return None if cause is None or str(cause) == str(error) else cause

    def end(self) -> None:
        """Wait a moment for processes that are done, and kill the others."""
        self._is_over.set()
        is_failing = sys.exc_info()[0] is not None
        for process in self._processes.values():
            process.join(0.0 if is_failing else FAREWELL_S)
            if process.is_alive():
                process.kill()
                process.join()
        for words in self._last_words.values():
            words.close()

    def _watch(self) -> None:
        """End a trial that waits for a process that died, where waiting does not end by itself."""
        waiting = list(self._processes.values())
        while waiting and not self._is_broken():
            mp_connection.wait([each.sentinel for each in waiting])
            waiting = [each for each in waiting if self._exit_code(each) is None]
        if self._is_broken() and not self._is_over.wait(STUCK_S):
            self._end_now(self._cause() or RankLost("a process of the trial ended too early"))

    def _is_broken(self) -> bool:
        return any(self._exit_code(each) for each in self._processes.values())

    def _exit_code(self, process: "ForkServerProcess") -> int | None:
        with self._looking:
            return process.exitcode

    def _cause(self) -> Exception | None:
        """Return why the trial cannot go on, as far as is known by now."""
        # The exit code first: who has ended has said what there is to say.
        codes = {rank: self._exit_code(each) for rank, each in self._processes.items()}
        with self._looking:
            self._listen()
        ends = [RankEnd(rank, code, self._said.get(rank)) for rank, code in codes.items()]
        return cause_of_end(ends, len(ends) + 1)

    def _listen(self) -> None:
        # Lazy: torch, which is there where there are such processes.
        from models.process_group import unpickled

        for rank, words in self._last_words.items():
            with suppress(EOFError, OSError):
                if rank not in self._said and words.poll():
                    self._said[rank] = unpickled(words.recv_bytes())


def run_rank(
    order: TrialOrder,
    slot: Slot,
    rank: int,
    rendezvous: Path,
    lifeline: "Connection[None, None]",
    last_words: Connection,
) -> None:
    """Train a part of every batch; the target of a process."""
    end_with(lifeline)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first rank decides when all of them stop
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    use_slot(slot)
    redirect_output(order.folder / "output.log")
    # Lazy: torch, after the threads that it takes are known.
    from models.process_group import ProcessGroup, as_last_words, pickled

    try:
        group = ProcessGroup(rank, slot.processes, rendezvous)
        session = make_session(order, SILENT, meter=Meter(), ranks=group)
        resolve_name(MODELS[session.model.name].trainer)(session)
        group.close()
    except Exception as error:  # noqa: BLE001  # the boundary: the first rank tells what it was
        last_words.send_bytes(pickled(as_last_words(error)))
        sys.exit(1)
