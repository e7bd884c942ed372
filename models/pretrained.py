"""Pretrained weights: a file in torch's cache, fetched once, put into a network.

The file lies where torch.hub and torchvision keep theirs, `TORCH_HOME/hub/checkpoints`, so that
it is shared with other programs and can be put there by hand. A network's builder never loads
it: only a training that starts from the beginning does, and none that resumes, scores or counts.

In a rehearsal the loaders write to a network on the "meta" device as they always do, but no file
is fetched or opened. So what they would leave as it is can be told before anything is downloaded.

    PretrainedWeightsError   they cannot be had, or are those of another network
"""

import errno
import hashlib
import logging
import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import URLError
from uuid import uuid4

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models.named_layers import is_within

ContentT = TypeVar("ContentT")
logger = logging.getLogger(__name__)

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
UNREADABLE = (
    SafetensorError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    pickle.PickleError,
)
_REHEARSES = ContextVar("rehearses", default=False)
_TAKES_CLASSES = ContextVar("takes_classes", default=False)
BY_HAND = "put the file there by hand, or set model.pretrained: none"


class PretrainedWeightsError(RuntimeError):
    """Pretrained weights cannot be had, or are those of another network."""


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """Where weights come from."""

    url: str
    name: str  # of the file in the cache folder; .pth, .safetensors, or what a reader takes
    digits: str = ""  # first hexadecimal digits of the file's SHA-256; "" where nobody says

    @classmethod
    def named_by_hash(cls, url: str) -> "WeightsSource":
        """Take name and digits from a URL that ends in `-<digits>.pth`, as torchvision's do."""
        name = url.rpartition("/")[2]
        found = re.search(r"-([0-9a-f]{8,})\.", name)
        return cls(url, name, found[1] if found else "")


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """Which weights a network was given."""

    file: str  # name in the cache folder
    sha256: str
    url: str


@contextmanager
def rehearsal() -> Iterator[None]:
    """Have loaders write to networks on the "meta" device, without any file."""
    token = _REHEARSES.set(True)
    try:
        with torch.device("meta"):  # for what a loader builds on the way
            yield
    finally:
        _REHEARSES.reset(token)


def is_rehearsal() -> bool:
    """Tell whether no file is read at the moment."""
    return _REHEARSES.get()


@contextmanager
def taking_classes() -> Iterator[None]:
    """Have loaders fill layers of classes too, of a network for a file's classes in its order.

    How many classes a network has does not tell: a study may have a thousand of its own.
    """
    token = _TAKES_CLASSES.set(True)
    try:
        yield
    finally:
        _TAKES_CLASSES.reset(token)


def takes_classes() -> bool:
    """Tell whether a network's classes are those of the file."""
    return _TAKES_CLASSES.get()


def as_they_are(name: str) -> str | None:
    """Keep a weight under its name."""
    return name


def load_into(
    module: nn.Module,
    source: WeightsSource,
    *,
    rename: Callable[[str], str | None] = as_they_are,
    besides: Sequence[str] = (),
) -> LoadedWeights:
    """Put a file's weights into a module, all of the module's but those of some layers.

    Args:
        module: On any device.
        source: Of the file, which is downloaded where it is not in the cache.
        rename: Name in the file -> name in the module, or None to leave the weight out.
        besides: Layers of the module that stay as they are, whatever the file says of them.

    Raises:
        PretrainedWeightsError: the file cannot be had, is damaged, or fits another network.
        OSError: the disk is full.
    """
    content, loaded = read_fetched(source, _read, blank=dict[str, Tensor])
    if _REHEARSES.get():
        state = module.state_dict()
        for name in _without(state, besides):
            state[name].zero_()
        return loaded
    named = {rename(name): weights for name, weights in content.items()}
    weights = {name: value for name, value in named.items() if name is not None}
    try:
        _put(module, weights, besides)
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise PretrainedWeightsError(
            f"{_cached(source)} must hold the weights of {source.url}, got those of another "
            f"network ({reason}); delete it, so that it is downloaded anew"
        ) from error
    return loaded


def _put(module: nn.Module, weights: Mapping[str, Tensor], besides: Sequence[str]) -> None:
    """Write weights into a module.

    Raises:
        RuntimeError: The file has others than the module, or of other shapes.
    """
    if not besides:  # encoders of segmentation_models_pytorch take no other argument
        module.load_state_dict(weights)
        return
    odd = module.load_state_dict({n: weights[n] for n in _without(weights, besides)}, strict=False)
    missing = _without(odd.missing_keys, besides)
    if missing or odd.unexpected_keys:
        raise RuntimeError(f"missing keys: {missing}; unexpected keys: {odd.unexpected_keys}")


def _without(names: Iterable[str], layers: Sequence[str]) -> list[str]:
    """Return the names that are of none of the layers."""
    return [name for name in names if not any(is_within(name, layer) for layer in layers)]


def read_fetched(
    source: WeightsSource, read: Callable[[Path], ContentT], *, blank: Callable[[], ContentT]
) -> tuple[ContentT, LoadedWeights]:
    """Read a file of whatever form, downloading it where it is not in the cache.

    Args:
        source: Of the file.
        read: Returns what is in it, or raises PretrainedWeightsError where it is damaged.
        blank: Returns what is taken for its content in a rehearsal.

    Raises:
        PretrainedWeightsError: the file cannot be had, or is damaged.
        OSError: the disk is full.
    """
    if _REHEARSES.get():
        return blank(), LoadedWeights(source.name, "", source.url)
    file = fetch(source, read)
    digest = _checked_digest(file, source)
    return read(file), LoadedWeights(source.name, digest, source.url)


def fetch(source: WeightsSource, read: Callable[[Path], object] | None = None) -> Path:
    """Return the file in the cache, downloading it where it is not there.

    Any number of processes may do so at once: each downloads to a name of its own, and the file
    appears under its final name only when it is whole.

    Args:
        source: Of the file.
        read: Raises where a file is damaged; None: as PyTorch's and safetensors' files are read.

    Raises:
        PretrainedWeightsError: it could not be downloaded.
        OSError: the disk is full.
    """
    file = _cached(source)
    if file.is_file():
        return file
    partial = file.parent / f"{file.stem}.{uuid4().hex}.partial{file.suffix}"
    logger.info("downloading pretrained weights %s to %s", source.url, file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(source.url, str(partial), source.digits or None)
        (read or _read)(partial)  # a download that broke off may look finished
        partial.replace(file)
    except (OSError, HTTPException, RuntimeError) as error:
        raise _explained(error, source, file) from error
    finally:
        partial.unlink(missing_ok=True)
    return file


def _cached(source: WeightsSource) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / source.name


def _explained(error: Exception, source: WeightsSource, file: Path) -> Exception:
    """Return the error that says what to do."""
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        # Kept an OSError, by which a full disk is told from a failure of this trial alone.
        advice = f"free some, or set TORCH_HOME to a folder on another disk, or {BY_HAND}"
        return OSError(error.errno, f"no space for {source.url} at {file}; {advice}")
    reason = error.reason if type(error) is URLError else error  # HTTPError says more itself
    return PretrainedWeightsError(
        f"pretrained weights must be at {file} or come from {source.url}, got: {reason}; "
        f"connect this computer, {BY_HAND}"
    )


def _checked_digest(file: Path, source: WeightsSource) -> str:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if not digest.startswith(source.digits):
        raise PretrainedWeightsError(
            f"the SHA-256 of {file} must start with {source.digits}, got "
            f"{digest[: len(source.digits)]}; delete the file, so that it is downloaded anew"
        )
    return digest


def _read(file: Path) -> Mapping[str, Tensor]:
    """Read names and weights onto the CPU; nothing in the file is executed."""
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise PretrainedWeightsError(
            f"{file} must hold weights, got something else ({error}); delete it, so that it is "
            "downloaded anew"
        ) from error
    return state
