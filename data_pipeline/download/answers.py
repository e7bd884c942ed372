"""What a server's answer to a request for (the rest of) a file means."""

import re

import requests

from data_pipeline.download.checksums import stated_checksum
from data_pipeline.download.errors import AbsentError, RefusedError
from data_pipeline.download.part import Version
from data_pipeline.download.patience import retry_after_s
from data_pipeline.download.remote_file import require_web_address

ABSENT = (404, 410)
WORTH_ASKING_AGAIN = (408, 425, 429)  # and every 5xx
WHOLE, REST, NO_SUCH_RANGE = 200, 206, 416


class PassingError(Exception):
    """Something that may be gone at the next attempt.

    Attributes:
        wait_s: How long the server asks to wait; None: it does not say.
    """

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def judge(response: requests.Response, asked: str) -> None:
    """Let an answer with a file pass; raise what any other means.

    Raises:
        AbsentError: There is no such file.
        RefusedError: The server will not send it, or sends it in a way that is not accepted.
        PassingError: Asking again may help.
    """
    status = response.status_code
    if status in ABSENT:
        raise AbsentError(f"{asked} is not there (HTTP {status})")
    if status >= 500 or status in WORTH_ASKING_AGAIN:
        wait_s = retry_after_s(response.headers.get("Retry-After"))
        raise PassingError(f"HTTP {status} {response.reason}", wait_s)
    if status not in (WHOLE, REST, NO_SUCH_RANGE):
        raise RefusedError(f"{asked} was refused: HTTP {status} {response.reason}")
    require_web_address(response.url)
    if asked.startswith("https:") and not response.url.startswith("https:"):
        raise RefusedError(
            f"{asked} leads to {response.url}, which is not encrypted; use a mirror you trust"
        )
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":  # its length and its ranges would be those of other bytes
        raise RefusedError(
            f"{asked} must come as it is, got it encoded as {encoding}; use another mirror"
        )


def version_of(response: requests.Response, asked: str) -> Version:
    """Return of which version of a file an answer with all of it is."""
    etag = response.headers.get("ETag", "")
    strong = etag if etag.startswith('"') else None  # W/"…" may stand for other bytes
    checksum = stated_checksum(response.headers)
    return Version(
        url=asked,
        validator=strong or response.headers.get("Last-Modified"),
        size_bytes=body_bytes(response),
        checksum=str(checksum) if checksum else None,
    )


def body_bytes(response: requests.Response) -> int | None:
    """Return how long an answer says that it is; None when it does not."""
    value = response.headers.get("Content-Length", "")
    return int(value) if re.fullmatch(r"[0-9]{1,18}", value) else None


def continues(response: requests.Response, version: Version, offset: int) -> bool:
    """Tell whether an answer with a range is the rest of what is kept, and of that version."""
    found = re.fullmatch(
        r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)",
        response.headers.get("Content-Range", ""),
    )
    if found is None or int(found[1]) != offset:
        return False
    if version.size_bytes is not None and found[2] not in ("*", str(version.size_bytes)):
        return False
    is_etag = version.validator is not None and version.validator.startswith('"')
    return not is_etag or response.headers.get("ETag", version.validator) == version.validator
