"""Many files at once, each on its own; what fails is collected, what is absent is counted."""

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from data_pipeline.download.errors import (
    AbsentError,
    NoSpaceError,
    StoppedError,
    UnreachableError,
)
from data_pipeline.download.patience import Patience
from data_pipeline.download.progress import Watcher
from data_pipeline.download.remote_file import RemoteFile
from data_pipeline.download.transfer import Arrived, Fetcher
from data_pipeline.errors import DataError
from data_pipeline.paths import safe_path

# So many files in a row for which no server answers: it is gone, and waiting for each of the
# rest would take days.
MOST_UNREACHABLE = 24


@dataclass(slots=True)
class BatchResult:
    """What became of each file."""

    missing: list[RemoteFile] = field(default_factory=list)  # their server does not have them
    failed: dict[str, DataError] = field(default_factory=dict)  # by name
    not_tried: int = 0  # left when the batch was given up


def fetch_all(
    remotes: Sequence[RemoteFile],
    folder: Path,
    *,
    connections: int,
    patience: Patience,
    watcher: Watcher,
    on_arrival: Callable[[RemoteFile, Arrived], None],
) -> BatchResult:
    """Fetch files, several at a time; `on_arrival` is called by this thread only.

    Ctrl-C ends it once the transfers under way have written what they hold.

    Raises:
        NoSpaceError: The disk is full.
    """
    stop = Event()
    fetchers: queue.SimpleQueue[Fetcher] = queue.SimpleQueue()
    for _ in range(connections):
        fetchers.put(Fetcher(patience, stop=stop, moved=watcher.moved))

    def fetch(remote: RemoteFile) -> Arrived:
        if stop.is_set():
            raise StoppedError(f"{remote.name} was not tried")
        fetcher = fetchers.get()
        try:
            return fetcher.fetch(remote, safe_path(folder, remote.name))
        finally:
            fetchers.put(fetcher)

    try:
        with _threads(connections, stop) as pool:
            waiting = {pool.submit(fetch, remote): remote for remote in remotes}
            return _collected(waiting, stop, watcher=watcher, on_arrival=on_arrival)
    finally:
        while not fetchers.empty():
            fetchers.get().close()


@contextmanager
def _threads(count: int, stop: Event) -> Iterator[ThreadPoolExecutor]:
    """Threads that end soon when what uses them is interrupted."""
    pool = ThreadPoolExecutor(count, thread_name_prefix="download")
    try:
        yield pool
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _collected(
    waiting: dict[Future[Arrived], RemoteFile],
    stop: Event,
    *,
    watcher: Watcher,
    on_arrival: Callable[[RemoteFile, Arrived], None],
) -> BatchResult:
    result, unreachable = BatchResult(), 0
    for future in as_completed(waiting):
        remote = waiting[future]
        try:
            on_arrival(remote, future.result())
            unreachable = 0
        except AbsentError:
            result.missing.append(remote)
            unreachable = 0
        except StoppedError:
            result.not_tried += 1
            continue
        except NoSpaceError:
            raise
        except DataError as error:  # also a name that leads out of the folder
            result.failed[remote.name] = error
            unreachable += isinstance(error, UnreachableError)
            if unreachable >= MOST_UNREACHABLE:
                stop.set()
        watcher.settled()
    return result
