"""Checksums that are known beforehand, or that a server states with its answer."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MD5_ETAG = re.compile(r'"([0-9a-f]{32})"')


@dataclass(frozen=True, slots=True)
class Checksum:
    """A file's checksum; written "md5:0cc1…"."""

    algorithm: Literal["md5", "sha256"]
    digits: str  # lower-case hexadecimal

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digits}"


def parsed_checksum(text: str) -> Checksum | None:
    """Read what `str` of a checksum wrote; None for anything else."""
    found = re.fullmatch(r"(?:(md5):([0-9a-f]{32})|(sha256):([0-9a-f]{64}))", text)
    if found is None:
        return None
    if found[1]:
        return Checksum("md5", found[2])
    return Checksum("sha256", found[4])


def checksum_of(file: Path, algorithm: Literal["md5", "sha256"] = "sha256") -> Checksum:
    """Compute a file's checksum, a piece at a time."""
    with file.open("rb") as stream:
        return Checksum(algorithm, hashlib.file_digest(stream, algorithm).hexdigest())


def stated_checksum(headers: Mapping[str, str]) -> Checksum | None:
    """Return the MD5 of the whole file that an answer states; None without one.

    Google's storage says it in `x-goog-hash`. Amazon's has it as the ETag of what was uploaded
    in one piece; other ETags have another shape, but for encrypted objects, whose ETag looks the
    same and is not the MD5 of what is sent.
    """
    for entry in headers.get("x-goog-hash", "").split(","):
        name, _, value = entry.strip().partition("=")
        digits = _from_base64(value) if name == "md5" else None
        if digits is not None:
            return Checksum("md5", digits)
    encryption = headers.get("x-amz-server-side-encryption", "AES256")
    customer_key = headers.get("x-amz-server-side-encryption-customer-algorithm")
    found = MD5_ETAG.fullmatch(headers.get("ETag", ""))
    if found and encryption == "AES256" and customer_key is None:
        return Checksum("md5", found[1])
    return None


def _from_base64(text: str) -> str | None:
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return value.hex() if len(value) == 16 else None
