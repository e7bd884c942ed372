"""The layers that a Darknet cfg describes, as a network.

Layers are numbered as in the cfg, from 0 after `[net]`, so that "darknet53.conv.74" and "layer
61" mean here what they mean there. `route` and `shortcut` look back; `yolo` and `region` are where
a map leaves the network.

What differs from Darknet: batch normalisation's variance has PyTorch's 1e-5 added, which Darknet
adds on a GPU, and its running statistics follow the batches at PyTorch's 0.1, not Darknet's 0.01,
which needs thousands of steps to forget where they began.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.detection.darknet.cfg import Section

LEAK = 0.1  # slope of the leaky ReLU below zero
ENDS = ("yolo", "region")


class Convolution(nn.Module):
    """Convolution, batch normalisation where asked for, and activation.

    Weights start as He et al. (2015) have them; those of outputs, which are not normalised, so
    small that every place starts alike.
    """

    def __init__(self, section: Section, channels: int) -> None:
        super().__init__()
        filters, size = section.whole("filters"), section.whole("size")
        is_normalised = bool(section.whole("batch_normalize", 0))
        self.conv = nn.Conv2d(
            channels,
            filters,
            size,
            section.whole("stride", 1),
            padding=size // 2 if section.whole("pad", 0) else 0,
            bias=not is_normalised,
        )
        self.norm = nn.BatchNorm2d(filters) if is_normalised else None
        self.is_leaky = _is_leaky(section)
        if self.is_leaky:
            nn.init.kaiming_normal_(self.conv.weight, a=LEAK)
        else:
            nn.init.normal_(self.conv.weight, std=0.01)
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, values: Tensor) -> Tensor:
        """Convolve (b, c, h, w)."""
        values = self.conv(values)
        if self.norm is not None:
            values = self.norm(values)
        return functional.leaky_relu(values, LEAK) if self.is_leaky else values


class MaxPool(nn.Module):
    """Maxima; where windows overlap, maps keep their size: those at the border are cut."""

    def __init__(self, size: int, stride: int) -> None:
        super().__init__()
        self.size, self.stride = size, stride

    def forward(self, values: Tensor) -> Tensor:
        """Pool (b, c, h, w)."""
        if self.size > self.stride:
            before = (self.size - 1) // 2
            edges = (before, self.size - 1 - before) * 2
            values = functional.pad(values, edges, value=-torch.inf)
        return functional.max_pool2d(values, self.size, self.stride)


class Reorg(nn.Module):
    """Stack neighbouring pixels into channels (Redmon & Farhadi 2017, section 2).

    In Darknet's order, which its weights need: it takes its (c, h, w) numbers for (c / 4, 2h, 2w)
    ones before it stacks, so that the channels of an output pixel come from all over the map.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, values: Tensor) -> Tensor:
        """Turn (b, c, h, w) into (b, 4c, h / 2, w / 2), with stride 2."""
        count, channels, height, width = values.shape
        side = self.stride
        split = values.reshape(count, channels // side**2, height, side, width, side)
        stacked = split.permute(0, 3, 5, 1, 2, 4)
        return stacked.reshape(count, channels * side**2, height // side, width // side)


class Upsample(nn.Module):
    """Repeat every pixel; by copies, whose gradient is a sum in a fixed order on every device."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, values: Tensor) -> Tensor:
        """Turn (b, c, h, w) into (b, c, 2h, 2w), with stride 2."""
        count, channels, height, width = values.shape
        side = self.stride
        spread = values[:, :, :, None, :, None].expand(-1, -1, -1, side, -1, side)
        return spread.reshape(count, channels, height * side, width * side)


class Route(nn.Module):
    """Put maps side by side as channels."""

    def forward(self, *maps: Tensor) -> Tensor:
        """Concatenate (b, c, h, w) maps."""
        return torch.cat(maps, dim=1)


class Shortcut(nn.Module):
    """Add maps."""

    def forward(self, values: Tensor, earlier: Tensor) -> Tensor:
        """Add two (b, c, h, w) maps."""
        return values + earlier


class DarknetLayers(nn.Module):
    """The layers of a cfg.

    Args:
        sections: One for each layer.
        channels: Of the image.

    Raises:
        DarknetCfgError: a layer is not known, or looks back at one that is not there.
    """

    def __init__(self, sections: Sequence[Section], channels: int = 3) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        self._sources: list[tuple[int, ...]] = []
        widths: list[int] = []  # channels that come out of each layer
        for index, section in enumerate(sections):
            sources = _sources(section, index)
            inside = [widths[each] if each >= 0 else channels for each in sources]
            layer, width = _made(section, inside)
            self.layers.append(layer)
            self._sources.append(sources)
            widths.append(width)
        self.ends = tuple(i for i, section in enumerate(sections) if section.kind in ENDS)
        used_later = (s for i, each in enumerate(self._sources) for s in each if s < i - 1)
        self._kept = frozenset(used_later)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Run all layers.

        Args:
            images: (b, c, h, w).

        Returns:
            The map of every `yolo` and `region` layer, in order; without any, the last map.
        """
        kept: dict[int, Tensor] = {}
        ends: list[Tensor] = []
        values = images
        for index, (layer, sources) in enumerate(zip(self.layers, self._sources, strict=True)):
            inside = [values if each == index - 1 else kept[each] for each in sources]
            values = layer(*inside)
            if index in self._kept:
                kept[index] = values
            if index in self.ends:
                ends.append(values)
        return ends or [values]

    def convolutions(self) -> Iterator[tuple[int, Convolution]]:
        """Yield the number of every convolution, and it, in the order of weights in files."""
        for index, layer in enumerate(self.layers):
            if isinstance(layer, Convolution):
                yield index, layer


def _sources(section: Section, index: int) -> tuple[int, ...]:
    """Return the numbers of the layers that one takes its input from; -1 is the image."""
    looked_back: tuple[int, ...] = ()
    if section.kind == "route":
        looked_back = section.wholes("layers")
    elif section.kind == "shortcut":
        looked_back = (-1, section.whole("from"))
    else:
        return (index - 1,)
    sources = tuple(index + each if each < 0 else each for each in looked_back)
    if not all(0 <= each < index for each in sources):
        raise section.error(
            f"must look back at layers 0 to {index - 1}, got {looked_back} as layer {index}; "
            "correct it"
        )
    return sources


def _made(section: Section, inside: Sequence[int]) -> tuple[nn.Module, int]:
    """Return a layer and the channels that come out of it, of those that go in."""
    if section.kind == "convolutional":
        return Convolution(section, inside[0]), section.whole("filters")
    if section.kind == "route":
        return Route(), sum(inside)
    if section.kind == "reorg":
        stride = section.whole("stride", 1)
        return Reorg(stride), inside[0] * stride**2
    maker = PLAIN.get(section.kind)
    if maker is None:
        known = ", ".join(sorted({"convolutional", "route", "reorg", *PLAIN}))
        raise section.error(f"must be a layer that is known ({known}); remove it")
    return maker(section), inside[0]


def _shortcut(section: Section) -> Shortcut:
    if section.text("activation", "linear") != "linear":
        raise section.error("must have activation=linear, as in Darknet-53; correct it")
    return Shortcut()


def _is_leaky(section: Section) -> bool:
    name = section.text("activation", "logistic")  # Darknet's own default
    if name not in ("leaky", "linear"):
        raise section.error(f"must have activation leaky or linear, got '{name}'; correct it")
    return name == "leaky"


# Layers that keep the number of channels.
PLAIN: Mapping[str, Callable[[Section], nn.Module]] = MappingProxyType(
    {
        "maxpool": lambda section: MaxPool(section.whole("size"), section.whole("stride", 1)),
        "upsample": lambda section: Upsample(section.whole("stride", 2)),
        "shortcut": _shortcut,
        "yolo": lambda _: nn.Identity(),
        "region": lambda _: nn.Identity(),
    }
)
