"""What examining items showed, kept in the workspace so that no file is decoded twice for it.

    cache/checks/<key>.json       image id -> [stamp, height, width, is_grey, frames, faults]

The key is a hash of the data's fingerprint, the task and this file's version; the stamp is a
hash of the paths, sizes and times of change of an item's files. A changed file is looked at
again, and no other.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import astuple
from hashlib import blake2b
from pathlib import Path
from typing import Any

from data_pipeline.cache import cache_folder
from data_pipeline.catalog import data_fingerprint
from data_pipeline.datasets.dataset import Listed
from data_pipeline.faults import Fault
from data_pipeline.hashing import hash_of, write_whole
from data_pipeline.integrity.examination import examine
from data_pipeline.integrity.findings import FileFacts
from data_pipeline.reading_settings import reading_settings
from data_pipeline.settings import DataSettings

logger = logging.getLogger(__name__)

VERSION = 3  # raised when an examination finds something else in the same file
KEPT_EVERY_S = 30.0  # what a killed check had found by then is not lost
# A file is as it is, whatever size it is used at and whichever of its classes are chosen.
OF_ALL_CLASSES = frozenset(
    {"classes", "one_model_per_class", "keep_empty", "image_size", "resize"}
)
Progress = Callable[[int, int], None]  # items examined, items to examine


def examined(
    items: Sequence[Listed],
    settings: DataSettings,
    task: str,
    *,
    progress: Progress | None = None,
    fingerprint: str | None = None,
) -> dict[str, FileFacts]:
    """Return image id -> facts, decoding only what was not yet or has changed since.

    Args:
        items: To look at; ids are unique.
        settings: Of the dataset they are from.
        task: That they are read for.
        progress: Told now and then, from this thread, how far it is; what it raises ends the
            work, and what was examined by then is kept.
        fingerprint: Of the data, where it is known: to find it out takes a while.
    """
    file = _facts_file(settings, task, fingerprint or data_fingerprint(settings))
    known = _read(file)
    stamps = {item.image_id: _stamp(item) for item in items}
    fresh = [item for item in items if _known_stamp(known, item) != stamps[item.image_id]]
    with closing(_in_parallel(fresh)) as examining, closing(_Keeper(file)) as keeper:
        for done, (item, facts) in enumerate(examining, start=1):
            kept = [stamps[item.image_id], *_to_json(facts)]
            known[item.image_id] = kept
            keeper.add(item.image_id, kept)
            if progress is not None:
                progress(done, len(fresh))
    return {image_id: _from_json(known[image_id][1:]) for image_id in stamps}


class _Keeper:
    """Adds facts to the file, every now and then and when closed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._fresh: dict[str, list[Any]] = {}
        self._kept_at = time.monotonic()

    def add(self, image_id: str, facts: list[Any]) -> None:
        self._fresh[image_id] = facts
        if time.monotonic() - self._kept_at >= KEPT_EVERY_S:
            self.close()
            self._kept_at = time.monotonic()

    def close(self) -> None:
        """Write what is not written yet; what another process added meanwhile stays."""
        if not self._fresh:
            return
        merged = _read(self._file) | self._fresh
        try:
            write_whole(self._file, json.dumps(merged, separators=(",", ":")))
        except OSError as error:
            logger.warning(
                "what decoding the files showed cannot be kept in %s: %s; they are decoded once "
                "more by each trial: free space, or move the workspace",
                self._file.parent,
                error.strerror,
                extra={"topic": f"what decoding showed cannot be kept ({error.strerror})"},
            )
        self._fresh.clear()


def own_threads() -> int:
    """Return the cores this process may use: its affinity, and the threads its trial was given."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        allowed = os.cpu_count() or 1
    given = os.environ.get("OMP_NUM_THREADS", "")  # a trial's; torch is not loaded for it
    return min(allowed, int(given)) if given.isdecimal() and int(given) else allowed


def _in_parallel(items: Sequence[Listed]) -> Generator[tuple[Listed, FileFacts], None, None]:
    """Examine in threads: decoding holds no lock, and nothing need be sent to a process."""
    threads = ThreadPoolExecutor(max_workers=own_threads())
    try:
        yield from zip(items, threads.map(examine, items), strict=True)
    finally:
        threads.shutdown(cancel_futures=True)  # Ctrl-C need not wait for the rest


def _facts_file(settings: DataSettings, task: str, fingerprint: str) -> Path:
    read = reading_settings(settings, OF_ALL_CLASSES)
    parts = (f"version {VERSION}", fingerprint, task, read)
    return cache_folder() / "checks" / f"{hash_of(parts)[:32]}.json"


def _stamp(item: Listed) -> str:
    digest = blake2b(digest_size=12)
    for file in item.files:
        try:
            stat = os.stat(file)  # noqa: PTH116  # a Path's own takes twice as long
            digest.update(
                f"{file}|{stat.st_size}|{stat.st_mtime_ns}\n".encode(errors="surrogateescape")
            )
        except OSError:
            digest.update(f"{file}|absent\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _known_stamp(known: Mapping[str, list[Any]], item: Listed) -> str | None:
    facts = known.get(item.image_id)
    return facts[0] if facts else None


def _read(file: Path) -> dict[str, list[Any]]:
    try:
        known: dict[str, list[Any]] = json.loads(file.read_bytes())
    except (OSError, ValueError):  # not there yet, or damaged: made anew
        return {}
    return known


def _to_json(facts: FileFacts) -> list[Any]:
    height, width = facts.size_hw or (None, None)
    return [height, width, facts.is_grey, facts.frames, [astuple(f) for f in facts.faults]]


def _from_json(values: Sequence[Any]) -> FileFacts:
    height, width, is_grey, frames, faults = values
    return FileFacts(
        size_hw=None if height is None else (height, width),
        is_grey=is_grey,
        frames=frames,
        faults=tuple(Fault(*each) for each in faults),
    )
