"""A file on a server, and where it goes."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from data_pipeline.download.checksums import Checksum
from data_pipeline.download.errors import RefusedError


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on a server, and where it goes."""

    name: str  # below the dataset's folder, parts separated by "/"
    url: str
    size_bytes: int  # as far as known: space is kept for it, nothing is compared with it
    checksum: Checksum | None = None  # known beforehand; None: what the server states counts


def mirrored(url: str, mirror: str | None) -> str:
    """Return the same path below a mirror's address; without a mirror the address itself.

    Raises:
        RefusedError: The mirror's address is not http or https.
    """
    if mirror is None:
        return url
    require_web_address(mirror)
    return mirror.rstrip("/") + urlsplit(url).path


def require_web_address(url: str) -> None:
    """Refuse whatever is not http or https, such as file:.

    Raises:
        RefusedError: It is not.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise RefusedError(
            f"an address must begin with http:// or https://, got '{url}'; correct it"
        )
