"""Darknet's weight files: a header, then the numbers of all layers, without names or sizes.

As Darknet's parser reads and writes them: three 32-bit integers, major, minor and revision; the
number of images seen in training, of 64 bits from version 0.2 on and of 32 before; then float32,
little-endian. A convolution has bias, scale, mean and variance of its batch normalisation, then
its weights (filters, channels, height, width); without normalisation, bias and weights. So a file
fits a network or not by its length alone, which is why that is checked.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.detection.darknet.layers import DarknetLayers
from models.pretrained import PretrainedWeightsError

NORMALISED = ("norm.bias", "norm.weight", "norm.running_mean", "norm.running_var", "conv.weight")
PLAIN = ("conv.bias", "conv.weight")
VERSION = struct.Struct("<3i")
SEEN, SEEN_BEFORE_02 = struct.Struct("<q"), struct.Struct("<i")
FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file holds, in order."""

    names: tuple[str, ...]  # as in the network's state_dict
    shapes: tuple[tuple[int, ...], ...]

    @property
    def floats(self) -> int:
        """Count the numbers."""
        return sum(int(np.prod(shape)) for shape in self.shapes)

    def blank(self) -> dict[str, Tensor]:
        """Return weights of these shapes without values, on the device that is the default."""
        pairs = zip(self.names, self.shapes, strict=True)
        return {name: torch.empty(shape) for name, shape in pairs}


def layout_of(network: DarknetLayers, layers: int | None = None) -> Layout:
    """Return how a file holds a network's weights.

    Args:
        network: On any device, "meta" too.
        layers: How many of the first layers the file is of, as in "darknet53.conv.74"; None: all.
    """
    found = [
        (f"layers.{index}.{part}", tuple(values.shape))
        for index, part, values in _parts(network)
        if layers is None or index < layers
    ]
    return Layout(tuple(name for name, _ in found), tuple(shape for _, shape in found))


def read_weights(file: Path, layout: Layout) -> dict[str, Tensor]:
    """Read a file's weights, under their names.

    Raises:
        PretrainedWeightsError: it holds more numbers than the network, or fewer.
        OSError: it cannot be read.
    """
    content = file.read_bytes()
    start = _header_bytes(file, content)
    floats, rest = divmod(len(content) - start, FLOAT_BYTES)
    if floats != layout.floats or rest:
        extra = f" and {rest} bytes" if rest else ""
        raise PretrainedWeightsError(
            f"{file} must hold {layout.floats:,} numbers after its header, as the network has "
            f"them, got {floats:,}{extra}: it broke off, or is of another network; delete it, so "
            "that it is downloaded anew, or put the right one there"
        )
    numbers = torch.from_numpy(np.frombuffer(content, "<f4", offset=start).astype(np.float32))
    pieces = torch.split(numbers, [int(np.prod(shape)) for shape in layout.shapes])
    return {
        name: piece.reshape(shape)
        for name, shape, piece in zip(layout.names, layout.shapes, pieces, strict=True)
    }


def write_weights(
    file: Path, network: DarknetLayers, *, version: tuple[int, int, int] = (0, 2, 0), seen: int = 0
) -> None:
    """Write a network's weights as Darknet would.

    Args:
        file: To write.
        network: On any device.
        version: Major, minor and revision; before 0.2, `seen` has 32 bits.
        seen: Images seen in training.
    """
    major, minor, _ = version
    with file.open("wb") as stream:
        stream.write(VERSION.pack(*version) + _kind_of_seen(major, minor).pack(seen))
        for _, _, values in _parts(network):
            stream.write(values.cpu().numpy().astype("<f4").tobytes())


def _parts(network: DarknetLayers) -> Iterator[tuple[int, str, Tensor]]:
    """Yield the number of a layer, the name of a part of it, and that."""
    for index, layer in network.convolutions():
        state = layer.state_dict()
        for part in PLAIN if layer.norm is None else NORMALISED:
            yield index, part, state[part]


def _header_bytes(file: Path, content: bytes) -> int:
    if len(content) < VERSION.size + SEEN.size:
        raise PretrainedWeightsError(
            f"{file} must start with Darknet's header of {VERSION.size + SEEN.size} bytes, got "
            f"{len(content)} bytes; delete it, so that it is downloaded anew"
        )
    major, minor, _ = VERSION.unpack_from(content)
    return VERSION.size + _kind_of_seen(major, minor).size


def _kind_of_seen(major: int, minor: int) -> struct.Struct:
    # Numbers of 1000 and more mark files whose weights are transposed, of before the number grew.
    return SEEN if major * 10 + minor >= 2 and max(major, minor) < 1000 else SEEN_BEFORE_02
