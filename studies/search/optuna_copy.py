"""Optuna's database: a copy for optuna-dashboard and `optuna.visualization`, from a thread.

Nothing reads it back, so that a database that is locked, damaged or away stops no study: it is
said once, and the next launch writes what lacks. Each ended configuration is one transaction,
written in the order in which they were proposed.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import optuna
from optuna.exceptions import OptunaError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger(__name__)
CLOSE_TIMEOUT_S = 60.0


@dataclass(slots=True)
class _Copied:
    """One search's copy."""

    study: optuna.Study
    written: int  # trials that are there
    waiting: dict[int, FrozenTrial] = field(default_factory=dict)  # ended before an earlier one


@dataclass(frozen=True, slots=True)
class _Work:
    name: str
    directions: tuple[str, ...]
    trials: dict[int, FrozenTrial]
    is_whole: bool  # all that ended; else some more


class OptunaCopy:
    """Writes into Optuna's database in the background."""

    def __init__(self, open_storage: Callable[[], BaseStorage]) -> None:
        """Start without touching the database.

        Args:
            open_storage: Opens it, in the thread.
        """
        self._open_storage = open_storage
        self._storage: BaseStorage | None = None
        self._copied: dict[str, _Copied] = {}
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="optuna copy", daemon=True)
        self._thread.start()

    def follow(
        self, name: str, directions: Sequence[str], trials: Sequence[FrozenTrial | None]
    ) -> None:
        """Bring a search's copy in line with all that ended of it; None: not ended yet."""
        ended = {number: each for number, each in enumerate(trials) if each is not None}
        self._work.put(_Work(name, tuple(directions), ended, is_whole=True))

    def add(
        self, name: str, directions: Sequence[str], *, number: int, trial: FrozenTrial
    ) -> None:
        """Add a configuration that ended to a search's copy."""
        self._work.put(_Work(name, tuple(directions), {number: trial}, is_whole=False))

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Write what is left, and end the thread."""
        self._work.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while (work := self._work.get()) is not None:
                self._write(work)
        # Whatever a driver raises: a copy must not end a study, and its own next launch mends it.
        except (OptunaError, SQLAlchemyError, OSError, ValueError, RuntimeError) as error:
            line = next(iter(str(error).splitlines()), "")
            logger.warning(
                "Optuna's copy of the study is left as it is (%s: %s); the next launch brings it "
                "up to date",
                type(error).__name__,
                line,
            )
        finally:
            self._release()

    def _release(self) -> None:
        """Close the database's connections, of which this thread has one."""
        if self._storage is not None:
            self._storage.remove_session()
        if isinstance(self._storage, optuna.storages.RDBStorage):
            self._storage.engine.dispose()

    def _write(self, work: _Work) -> None:
        copied = self._copied.get(work.name)
        if copied is None or work.is_whole:
            copied = self._copied[work.name] = self._opened(work)
        copied.waiting |= work.trials
        while (trial := copied.waiting.pop(copied.written, None)) is not None:
            copied.study.add_trial(trial)
            copied.written += 1

    def _opened(self, work: _Work) -> _Copied:
        """Open a search's study; one that holds anything else is made anew."""
        if self._storage is None:
            self._storage = self._open_storage()
        study = self._study(work)
        there = study.get_trials(deepcopy=False)
        is_same = [each.name.lower() for each in study.directions] == list(
            work.directions
        ) and all(_agree(each, work.trials.get(each.number)) for each in there)
        if is_same:
            return _Copied(study, len(there))
        optuna.delete_study(study_name=work.name, storage=self._storage)
        return _Copied(self._study(work), 0)

    def _study(self, work: _Work) -> optuna.Study:
        return optuna.create_study(
            study_name=work.name,
            storage=self._storage,
            directions=[StudyDirection[each.upper()] for each in work.directions],
            load_if_exists=True,
        )


def _agree(there: FrozenTrial, ended: FrozenTrial | None) -> bool:
    return (
        ended is not None
        and there.state == ended.state
        and there.params == ended.params
        and there.values == ended.values
        and there.distributions == ended.distributions
    )
