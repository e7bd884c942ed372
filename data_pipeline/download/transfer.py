"""One file from a server: continued where it stopped, asked for again, checked, then named.

A target's name appears only when all of the file is there and its checksum is right. What
arrived before a kill is not fetched again (see part.py).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import requests
from requests.exceptions import InvalidSchema, InvalidURL, SSLError
from urllib3.exceptions import HTTPError

from data_pipeline.download.answers import (
    NO_SUCH_RANGE,
    REST,
    PassingError,
    body_bytes,
    continues,
    judge,
    version_of,
)
from data_pipeline.download.checksums import Checksum, checksum_of, parsed_checksum
from data_pipeline.download.errors import (
    ChecksumError,
    RefusedError,
    StoppedError,
    UnreachableError,
)
from data_pipeline.download.part import Part, Version
from data_pipeline.download.patience import Patience
from data_pipeline.download.remote_file import RemoteFile, require_web_address
from data_pipeline.download.space import named_if_full, require_space

PIECE_BYTES = 256 * 1024
MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that is there."""

    size_bytes: int
    checksum: Checksum


def _not_watched(_count: int) -> None:
    """Nobody wants to know how many bytes arrive."""


class Fetcher:
    """Fetches one file at a time; threads have one each, so that each keeps its connections."""

    def __init__(
        self,
        patience: Patience,
        *,
        stop: Event | None = None,
        moved: Callable[[int], None] = _not_watched,
    ) -> None:
        """Prepare to fetch.

        Args:
            patience: How long to wait and how often to ask.
            stop: Once set, the transfer ends with what has arrived kept.
            moved: Is told bytes as they arrive; less than 0: so many must be fetched again.
        """
        self._patience = patience
        self._stop = stop or Event()
        self._moved = moved
        self._session = requests.Session()
        self._session.max_redirects = MOST_REDIRECTS
        # Bytes as stored: the length and the ranges of compressed ones would be others.
        self._session.headers["Accept-Encoding"] = "identity"

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def size_bytes(self, remote: RemoteFile) -> int:
        """Ask once how large a file is; what was taken for it where no answer says."""
        require_web_address(remote.url)
        try:
            response = self._session.head(
                remote.url, timeout=self._timeout_s, allow_redirects=True
            )
        except requests.RequestException:
            return remote.size_bytes
        length = body_bytes(response) if response.ok else None
        return remote.size_bytes if length is None else length

    def fetch(self, remote: RemoteFile, target: Path) -> Arrived:
        """Bring a file to `target`, from where an earlier attempt stopped.

        Raises:
            AbsentError: The server does not have it.
            RefusedError: The server will not send it, or not in an acceptable way.
            UnreachableError: No whole answer after every attempt.
            ChecksumError: What arrived is wrong, twice.
            NoSpaceError: The disk is full; what has arrived is kept.
            StoppedError: The event was set; what has arrived is kept.
        """
        require_web_address(remote.url)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Part(target)
        self._moved(part.size_bytes)
        wrong: Checksum | None = None
        while True:
            expected = self._whole(remote, part)
            found = checksum_of(part.file, expected.algorithm if expected else "sha256")
            if expected is None or found == expected:
                part.complete()
                return Arrived(target.stat().st_size, found)
            self._throw_away(part)
            if wrong is not None:
                raise ChecksumError(
                    f"{remote.url} must have the checksum {expected}, got {found} (and {wrong} "
                    "before); its server or a proxy changes it: try later or another mirror"
                )
            wrong = found

    @property
    def _timeout_s(self) -> tuple[float, float]:
        return self._patience.connect_s, self._patience.stall_s

    def _whole(self, remote: RemoteFile, part: Part) -> Checksum | None:
        """Ask until all of a file is in its part; return what its checksum must be."""
        failures, most = 0, part.size_bytes
        while True:
            try:
                stated = self._attempt(remote, part)
                return remote.checksum or (parsed_checksum(stated) if stated else None)
            except PassingError as trouble:
                failures = 1 if part.size_bytes > most else failures + 1
                most = max(most, part.size_bytes)
                if failures >= self._patience.attempts:
                    raise UnreachableError(
                        f"{remote.url} could not be fetched in {failures} attempts, the last: "
                        f"{trouble}; run the same command again to go on"
                    ) from trouble
                self._pause(trouble, failures, remote.url)

    def _attempt(self, remote: RemoteFile, part: Part) -> str | None:
        """Ask once for what is missing; return the checksum that the server stated."""
        kept = part.version(remote.url)
        if kept is None or (kept.validator is None and remote.checksum is None):
            self._throw_away(part)  # of no known version: it cannot be continued safely
            kept = None
        elif part.size_bytes == kept.size_bytes:
            return kept.checksum  # killed between its last byte and its name
        offset = part.size_bytes
        with self._asked(remote.url, kept, offset) as response:
            judge(response, remote.url)
            if response.status_code == NO_SUCH_RANGE:
                self._throw_away(part)
                raise PassingError("the file is shorter than what had arrived of it")
            if response.status_code == REST:
                if kept is None or not continues(response, kept, offset):
                    self._throw_away(part)
                    raise PassingError("the file has changed since a part of it arrived")
                version = kept
            else:
                version = version_of(response, remote.url)
                self._moved(-offset)  # all of it comes, also what is there
                with named_if_full(part.target, version.size_bytes or 0):
                    part.begin(version)
            require_space(part.target, body_bytes(response) or 0)
            self._append(response, part)
        if version.size_bytes is not None and part.size_bytes != version.size_bytes:
            raise PassingError(f"{part.size_bytes} bytes of {version.size_bytes} arrived")
        return version.checksum

    @contextmanager
    def _asked(self, url: str, kept: Version | None, offset: int) -> Iterator[requests.Response]:
        headers = {}
        if kept is not None:
            headers["Range"] = f"bytes={offset}-"
            if kept.validator is not None:
                headers["If-Range"] = kept.validator
        try:
            with self._session.get(
                url, headers=headers, stream=True, timeout=self._timeout_s
            ) as response:
                yield response
        except (requests.TooManyRedirects, InvalidSchema, InvalidURL) as error:
            raise RefusedError(f"{url} leads where this program does not go: {error}") from error
        except SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                raise PassingError(str(error)) from error
            raise RefusedError(
                f"the certificate of {url} could not be verified; set REQUESTS_CA_BUNDLE to a "
                f"file of certificates you trust, or use a mirror: {error}"
            ) from error
        except (requests.RequestException, HTTPError) as error:
            raise PassingError(str(error)) from error
        except ValueError as error:  # urllib3 on a redirect to what is no address
            raise RefusedError(f"{url} leads to what is no address: {error}") from error

    def _append(self, response: requests.Response, part: Part) -> None:
        with part.appending() as stream:
            # read1: what has arrived is written at once, not when a whole piece is together.
            while piece := response.raw.read1(PIECE_BYTES, decode_content=False):
                if self._stop.is_set():
                    raise StoppedError(f"{part.target} was stopped; what has arrived is kept")
                rest = memoryview(piece)
                while rest:
                    with named_if_full(part.target, len(rest)):
                        written = stream.write(rest)
                    self._moved(written)
                    rest = rest[written:]

    def _throw_away(self, part: Part) -> None:
        self._moved(-part.size_bytes)
        part.discard()

    def _pause(self, trouble: PassingError, failures: int, url: str) -> None:
        asked_s = trouble.wait_s or 0.0
        if asked_s > self._patience.longest_request_s:
            raise UnreachableError(
                f"{url} asks to wait {asked_s:.0f} s ({trouble}); run the same command then"
            ) from trouble
        if self._stop.wait(max(asked_s, self._patience.pause_s(failures))):
            raise StoppedError(f"{url} was stopped; what has arrived is kept")
