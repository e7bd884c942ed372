"""What examining items showed, kept in the workspace so that no file is decoded twice for it.

    cache/checks/<key>.json       image id -> [stamp, height, width, is_grey, frames, faults]

The key is a hash of the data's fingerprint, the task and this file's version; the stamp is a
hash of the paths, sizes and times of change of an item's files. A changed file is looked at
again, and no other.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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

VERSION = 1  # raised when an examination finds something else in the same file
KEPT_EVERY = 5_000  # examined items; what a killed check had found by then is not lost
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
) -> dict[str, FileFacts]:
    """Return image id -> facts, decoding only what was not yet or has changed since.

    Args:
        items: To look at; ids are unique.
        settings: Of the dataset they are from.
        task: That they are read for.
        progress: Told now and then, from this thread, how far it is.
    """
    file = _facts_file(settings, task)
    known = _read(file)
    stamps = {item.image_id: _stamp(item) for item in items}
    fresh = [item for item in items if _known_stamp(known, item) != stamps[item.image_id]]
    for start in range(0, len(fresh), KEPT_EVERY):
        part = fresh[start : start + KEPT_EVERY]
        for done, (item, facts) in enumerate(_in_parallel(part), start=start + 1):
            known[item.image_id] = [stamps[item.image_id], *_to_json(facts)]
            if progress is not None:
                progress(done, len(fresh))
        _keep(file, known, [item.image_id for item in part])
    return {image_id: _from_json(known[image_id][1:]) for image_id in stamps}


def _in_parallel(items: Sequence[Listed]) -> Iterable[tuple[Listed, FileFacts]]:
    """Examine in threads: decoding holds no lock, and nothing need be sent to a process."""
    threads = ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0)))
    try:
        yield from zip(items, threads.map(examine, items), strict=True)
    finally:
        threads.shutdown(cancel_futures=True)  # Ctrl-C need not wait for the rest


def _facts_file(settings: DataSettings, task: str) -> Path:
    read = reading_settings(settings, OF_ALL_CLASSES)
    parts = (f"version {VERSION}", data_fingerprint(settings), task, read)
    return cache_folder() / "checks" / f"{hash_of(parts)[:32]}.json"


def _stamp(item: Listed) -> str:
    digest = blake2b(digest_size=12)
    for file in item.files:
        try:
            stat = os.stat(file)  # noqa: PTH116  # a Path's own takes twice as long
            digest.update(f"{file}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
        except OSError:
            digest.update(f"{file}|absent\n".encode())
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


def _keep(file: Path, known: Mapping[str, list[Any]], image_ids: Iterable[str]) -> None:
    """Add facts to the file; what another process added meanwhile stays."""
    merged = _read(file) | {image_id: known[image_id] for image_id in image_ids}
    write_whole(file, json.dumps(merged, separators=(",", ":")))


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
