"""LeNet-5 for images of 32 pixels, as in 1998 and as it is built today.

LeCun, Bottou, Bengio & Haffner 1998, "Gradient-Based Learning Applied to Document Recognition",
section II.B. Weights of the two forms, with one input channel and ten classes:

    layer               paper                                       dense
    C1   6 maps of 28   6 x (25 + 1)                        156     the same           156
    S2   6 of 14        a factor and a bias each             12     average              0
    C3   16 of 10       60 pairs of table I x 25 + 16     1,516     6 x 16 x 25 + 16  2,416
    S4   16 of 5        a factor and a bias each             32     average              0
    C5   120 of 1       16 x 25 x 120 + 120              48,120     the same        48,120
    F6   84             120 x 84 + 84                    10,164     the same        10,164
    out  10             distances to fixed codes              0     84 x 10 + 10       850
                                                         60,000                     61,706

The paper's codes are drawings of characters, of 7 x 12 pixels of -1 and 1, which other classes
have none of; here each class has a random row of as many, which is always the same. Its last
term, for pictures of no class (equation 9), is left out: cross entropy of minus the distances is
the rest of that equation.

The paper draws weights between -2.4 and 2.4 over a unit's inputs (appendix A) and learns with a
rate for each of them; of the dense form so small weights would not begin to learn with one rate
for all, so there they are drawn as today.
"""

import random
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.class_rows import ClassRows
from models.classification.lenet5_settings import LeNet5Settings

BRIGHTNESS = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)
KERNEL = 5
C1, C3, C5, F6 = 6, 16, 120, 84  # maps or units
AMPLITUDE, SLOPE = 1.7159, 2 / 3  # of the hyperbolic tangent (appendix A)
SPREAD = 2.4  # weights are drawn between -SPREAD and SPREAD over the inputs of a unit
# Table I: the maps of S2 that each map of C3 sees.
TABLE = (
    *((first, (first + 1) % 6, (first + 2) % 6) for first in range(6)),
    *((first, (first + 1) % 6, (first + 2) % 6, (first + 3) % 6) for first in range(6)),
    *((first, (first + 1) % 6, (first + 3) % 6, (first + 4) % 6) for first in range(3)),
    tuple(range(6)),
)


class ScaledTanh(nn.Module):
    """A tanh(S a), which is 1 at 1 and -1 at -1 (appendix A)."""

    def forward(self, sums: Tensor) -> Tensor:
        """Return values of the same shape in (-A, A)."""
        return AMPLITUDE * torch.tanh(SLOPE * sums)


class Brightness(nn.Module):
    """Colours (b, 3, h, w) to their brightness (b, 1, h, w); grey stays as it is."""

    def forward(self, images: Tensor) -> Tensor:
        """Return one channel, in the units of the three."""
        weights = torch.tensor(BRIGHTNESS, dtype=images.dtype, device=images.device)
        return (images * weights.view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


class SubSampling(nn.Module):
    """The sum of 2x2 pixels, times a factor of its map, plus a bias of its map (layer S2)."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((maps, 1, 1), 0.25))  # starts as the average
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """Return (b, maps, h / 2, w / 2)."""
        return functional.avg_pool2d(maps, 2) * 4 * self.weight + self.bias


class SparseConvolution(nn.Module):
    """A convolution whose maps each see some of the maps before (table I)."""

    pairs: Tensor  # (pairs,) int64: map * maps before + map before

    def __init__(self) -> None:
        super().__init__()
        pairs = [after * C1 + before for after, seen in enumerate(TABLE) for before in seen]
        self.register_buffer("pairs", torch.tensor(pairs), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(pairs), KERNEL**2))
        self.bias = nn.Parameter(torch.zeros(C3))
        for weights, seen in zip(
            torch.split(self.weight.data, [*map(len, TABLE)]), TABLE, strict=True
        ):
            _draw_uniform(weights, inputs=len(seen) * KERNEL**2)

    def dense_weight(self) -> Tensor:
        """Return (16, 6, 5, 5) weights, 0 where the table has no connection."""
        blank = self.weight.new_zeros(C3 * C1, KERNEL**2)
        return blank.index_copy(0, self.pairs, self.weight).view(C3, C1, KERNEL, KERNEL)

    def forward(self, maps: Tensor) -> Tensor:
        """Return (b, 16, h - 4, w - 4) of (b, 6, h, w)."""
        return functional.conv2d(maps, self.dense_weight(), self.bias)


class CodeDistances(nn.Module):
    """Minus the squared distances of features to the code of each class (equation 7)."""

    codes: Tensor  # (classes, 84) of -1 and 1; go along with a class that is carried over

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("codes", class_codes(classes))

    def forward(self, features: Tensor) -> Tensor:
        """Return (b, classes) logits of (b, 84) features."""
        return -(features.unsqueeze(1) - self.codes).square().sum(dim=2)


class LeNet5(nn.Module):
    """Images (b, 3, 32, 32) to logits (b, classes)."""

    def __init__(self, settings: LeNet5Settings, classes: int) -> None:
        super().__init__()
        channels = 1 if settings.colours == "grey" else 3
        is_paper = settings.form == "paper"
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if settings.colours == "grey":
            layers["grey"] = Brightness()
        layers["c1"] = nn.Conv2d(channels, C1, KERNEL)
        layers["c1_tanh"] = ScaledTanh()
        layers |= _halving("s2", C1, learns=is_paper)
        layers["c3"] = SparseConvolution() if is_paper else nn.Conv2d(C1, C3, KERNEL)
        layers["c3_tanh"] = ScaledTanh()
        layers |= _halving("s4", C3, learns=is_paper)
        layers["c5"] = nn.Conv2d(C3, C5, KERNEL)
        layers["c5_tanh"] = ScaledTanh()
        layers["flat"] = nn.Flatten()
        layers["f6"] = nn.Linear(C5, F6)
        layers["f6_tanh"] = ScaledTanh()
        self.features = nn.Sequential(layers)
        self.output = CodeDistances(classes) if is_paper else nn.Linear(F6, classes)
        self.apply(_draw_by_inputs if is_paper else _draw_alike)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("output", are_codes=isinstance(self.output, CodeDistances)),)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images of 32 pixels."""
        logits: Tensor = self.output(self.features(images))
        return logits


def build_lenet5(settings: LeNet5Settings, out_channels: int) -> LeNet5:
    """Build LeNet-5 with random weights."""
    return LeNet5(settings, out_channels)


def class_codes(classes: int) -> Tensor:
    """Return (classes, 84) float32 of -1 and 1; a class has the same code among more classes."""
    draw = random.Random(1998)  # always the same, not secret
    return torch.tensor(
        [[2.0 * draw.getrandbits(1) - 1 for _ in range(F6)] for _ in range(classes)]
    )


def _halving(name: str, maps: int, *, learns: bool) -> OrderedDict[str, nn.Module]:
    """Return the layers that halve the size, by name."""
    if learns:
        return OrderedDict({name: SubSampling(maps), f"{name}_tanh": ScaledTanh()})
    return OrderedDict({name: nn.AvgPool2d(2)})


def _draw_alike(layer: nn.Module) -> None:
    """Draw weights so that values and gradients keep their scale (Glorot & Bengio 2010)."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # all of these have one


def _draw_by_inputs(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        _draw_uniform(layer.weight, inputs=layer.weight[0].numel())
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # all of these have one


def _draw_uniform(weights: Tensor, *, inputs: int) -> None:
    nn.init.uniform_(weights, -SPREAD / inputs, SPREAD / inputs)
