"""A folder that is being filled: what it holds already, what it lacks, and its manifest.

DIR/download.json          the manifest, written last
DIR/.download/             sources such as lists and archives; the journal; the lock
"""

import fcntl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from data_pipeline.download.batch import BatchResult, fetch_all
from data_pipeline.download.errors import AbsentError, BusyError, UnfinishedError
from data_pipeline.download.journal import HeldFile, Journal
from data_pipeline.download.licences import Licence
from data_pipeline.download.manifest import Manifest, read_manifest, write_manifest
from data_pipeline.download.part import Part
from data_pipeline.download.progress import Watcher
from data_pipeline.download.remote_file import RemoteFile
from data_pipeline.download.space import require_space
from data_pipeline.download.terms import Outcome, Terms
from data_pipeline.download.transfer import Arrived, Fetcher
from data_pipeline.errors import InvalidDataError
from data_pipeline.paths import safe_path

WORK_FOLDER = ".download"
SHOWN_FAILURES = 10


@dataclass(frozen=True, slots=True)
class Request:
    """Which dataset, and what of it."""

    dataset: str  # as the command names it
    licence: Licence
    options: Mapping[str, Any]  # of values that JSON has; decide what the folder holds


def source_name(file_name: str) -> str:
    """Return where a list or an archive is kept, relative to the dataset's folder."""
    return f"{WORK_FOLDER}/{file_name}"


def sized(remotes: Iterable[RemoteFile], terms: Terms) -> list[RemoteFile]:
    """Ask the servers how large these files are."""
    with closing(Fetcher(terms.patience)) as fetcher:
        return [replace(remote, size_bytes=fetcher.size_bytes(remote)) for remote in remotes]


def finished_manifest(folder: Path, request: Request) -> Manifest | None:
    """Return the manifest of a folder that holds all that is asked for; else None.

    Raises:
        InvalidDataError: The folder holds another dataset, or its manifest is damaged.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    if manifest.dataset != request.dataset:
        raise InvalidDataError(
            f"{folder} must be empty or hold '{request.dataset}', got '{manifest.dataset}'; "
            "choose another folder"
        )
    asks_the_same = manifest.options == request.options
    return manifest if asks_the_same and manifest.is_whole(folder) else None


@contextmanager
def delivery(request: Request, terms: Terms, watcher: Watcher) -> Iterator["Delivery"]:
    """Open a folder to be filled; no other process can meanwhile.

    Raises:
        BusyError: Another process fills it.
        InvalidDataError: The folder holds another dataset, or its manifest is damaged.
    """
    work = terms.folder / WORK_FOLDER
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:  # the kernel lets go of it when the process ends
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                f"another process downloads to {terms.folder}; wait for it, or choose another "
                "folder"
            ) from None
        yield Delivery(request, terms, watcher)


class Delivery:
    """A folder that is being filled."""

    def __init__(self, request: Request, terms: Terms, watcher: Watcher) -> None:
        self.terms = terms
        self.finished = finished_manifest(terms.folder, request)
        self._request = request
        self._watcher = watcher
        self._journal = Journal(terms.folder / WORK_FOLDER / "journal.jsonl")
        self._known = {held.name: held for held in self._listed_before()}
        self._sources: list[HeldFile] = []
        self._files: list[HeldFile] = []
        self._fetched = self._fetched_bytes = 0

    def _listed_before(self) -> Iterator[HeldFile]:
        manifest = read_manifest(self.terms.folder)
        if manifest is not None:
            yield from (*manifest.earlier, *manifest.sources, *manifest.files)
        yield from self._journal.read()

    @property
    def folder(self) -> Path:
        """Where the dataset goes."""
        return self.terms.folder

    def say(self, message: str) -> None:
        """Tell the user something."""
        self._watcher.say(message)

    def require_room(self, remotes: Iterable[RemoteFile], *, more_bytes: int = 0) -> None:
        """Check, before anything is fetched, that all of it will fit.

        Raises:
            NoSpaceError: It will not.
        """
        lacking = [remote for remote in remotes if not self._is_here(remote)]
        arrived_bytes = sum(Part(self.folder / remote.name).size_bytes for remote in lacking)
        size_bytes = sum(remote.size_bytes for remote in lacking)
        require_space(self.folder, max(0, size_bytes - arrived_bytes) + more_bytes)

    def source(self, remote: RemoteFile) -> Path:
        """Fetch a list or an archive that the rest is made from; return where it is.

        Raises:
            DownloadError: It cannot be had.
        """
        if not self._is_here(remote):
            result = self._fetch([remote])
            for error in result.failed.values():
                raise error
            if result.missing:
                raise AbsentError(
                    f"{remote.url} is not there; the dataset may have moved: look for a mirror "
                    "and name it by --mirror"
                )
        self._sources.append(self._known[remote.name])
        return safe_path(self.folder, remote.name)

    def fetch(self, remotes: Sequence[RemoteFile]) -> list[RemoteFile]:
        """Fetch those of the files that are not here; return those that are here then.

        Raises:
            UnfinishedError: Some failed, or too many are missing.
            NoSpaceError: The disk cannot hold them.
        """
        self._move_here(remotes)
        lacking = [r for r in remotes if not self._is_known_missing(r) and not self._is_here(r)]
        self.require_room(lacking)
        result = self._fetch(lacking)
        self._require_all(result)
        missing = {remote.name for remote in result.missing}
        here = [r for r in remotes if r.name not in missing and not self._is_known_missing(r)]
        self.require_enough(len(here), len(remotes))
        for remote in result.missing:  # only now: a server that lacks most is the wrong one
            self._remember(HeldFile.missing(remote))
        self._files += [self._known[remote.name] for remote in remotes]
        return here

    def _is_known_missing(self, remote: RemoteFile) -> bool:
        held = self._known.get(remote.name)
        return held is not None and held.size_bytes is None and held.url == remote.url

    def finish(self, counts: Mapping[str, int], made: Iterable[HeldFile]) -> Outcome:
        """Write the manifest: the folder is complete."""
        listed = (*self._files, *self._sources)
        names = {held.name for held in listed}
        earlier = [
            held
            for name, held in sorted(self._known.items())
            if name not in names and held.is_there(self.folder)
        ]
        manifest = Manifest(
            dataset=self._request.dataset,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            options=self._request.options,
            licence=self._request.licence,
            counts=counts,
            sources=tuple(self._sources),
            files=tuple(self._files),
            made=tuple(made),
            earlier=tuple(earlier),
        )
        write_manifest(self.folder, manifest)
        self._journal.remove()
        return Outcome(manifest, self._fetched, self._fetched_bytes, was_complete=False)

    def remove_archives(self) -> None:
        """Remove the sources once all is unpacked, unless they are to be kept."""
        if not self.terms.keep_archives:
            for held in self._sources:
                safe_path(self.folder, held.name).unlink(missing_ok=True)

    def made(self, file: Path, url: str) -> HeldFile:
        """Describe a file that was written or unpacked from what came from `url`."""
        name = file.relative_to(self.folder).as_posix()
        return HeldFile(name, url, file.stat().st_size, checksum=None)

    def _is_here(self, remote: RemoteFile) -> bool:
        held = self._known.get(remote.name)
        return held is not None and held.is_there(self.folder)

    def _move_here(self, remotes: Sequence[RemoteFile]) -> None:
        """Rename what earlier options put elsewhere, such as to the other split."""
        wanted = {remote.name for remote in remotes}
        elsewhere = {held.url: held for name, held in self._known.items() if name not in wanted}
        for remote in remotes:
            held = elsewhere.get(remote.url)
            if held is None or self._is_here(remote) or not held.is_there(self.folder):
                continue
            target = safe_path(self.folder, remote.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            safe_path(self.folder, held.name).replace(target)
            self._remember(HeldFile(remote.name, held.url, held.size_bytes, held.checksum))

    def _fetch(self, remotes: Sequence[RemoteFile]) -> BatchResult:
        if not remotes:
            return BatchResult()
        size_bytes = sum(remote.size_bytes for remote in remotes)
        what = PurePosixPath(remotes[0].name).name if len(remotes) == 1 else "files"
        self._watcher.begin(what, files=len(remotes), size_bytes=size_bytes)
        try:
            return fetch_all(
                remotes,
                self.folder,
                connections=min(self.terms.connections, len(remotes)),
                patience=self.terms.patience,
                watcher=self._watcher,
                on_arrival=self._arrived,
            )
        finally:
            self._watcher.end()

    def _arrived(self, remote: RemoteFile, arrived: Arrived) -> None:
        self._fetched += 1
        self._fetched_bytes += arrived.size_bytes
        self._remember(HeldFile.arrived(remote, arrived))

    def _remember(self, held: HeldFile) -> None:
        self._known[held.name] = held
        self._journal.write(held)

    def _require_all(self, result: BatchResult) -> None:
        if not result.failed and not result.not_tried:
            return
        shown = sorted(result.failed.items())[:SHOWN_FAILURES]
        more = len(result.failed) - len(shown)
        lines = [f"  {name}: {reason}" for name, reason in shown]
        lines += [f"  and {more} more"] if more else []
        lines += [f"  {result.not_tried} were not tried"] if result.not_tried else []
        raise UnfinishedError(
            "\n".join([f"could not be fetched: {len(result.failed)}", *lines])
            + "\nrun the same command again to go on; what has arrived is kept"
        )

    def require_enough(self, here: int, asked: int) -> None:
        """Accept that some files are missing, and no more than the terms allow.

        Raises:
            UnfinishedError: More are.
        """
        missing = asked - here
        if missing > self.terms.most_missing * asked:
            raise UnfinishedError(
                f"{missing} of {asked} files are not on their server, at most "
                f"{self.terms.most_missing:.0%} may be missing; check the mirror, or allow more "
                "by --most-missing (before the name of the dataset)"
            )
