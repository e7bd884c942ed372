"""FCN-8s, FCN-16s and FCN-32s: VGG-16 as a fully convolutional network (Long et al. 2015).

The form of the paper: the first convolution pads 100 pixels, so that the last layers, which do
not pad, still give a map for the smallest image, and each map is cropped to the part of it that
lies under the image. So the output has the image's size, whatever that is.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.class_rows import ClassRows
from models.pretrained import LoadedWeights, load_into
from models.segmentation.initialisation import draw_rectified
from models.segmentation.vgg import (
    rename_by,
    stage_layers,
    vgg16_source,
    vgg16_stages,
    vgg16_widths,
)
from models.segmentation.vgg_settings import FCNSettings

PADDING = 100  # pixels
SKIPS = {8: 2, 16: 1, 32: 0}  # stride -> poolings whose scores are added, from the last but one
# Pixels that padding and kernels put before the part of a map that belongs to the one below.
SKIP_OFFSETS = (5, 9)  # in the scores of the fourth and the third pooling
OUTPUT_OFFSETS = {8: 31, 16: 27, 32: 19}


class FCN(nn.Module):
    """RGB images (b, 3, h, w) of any size to logits (b, out_channels, h, w)."""

    def __init__(self, settings: FCNSettings, out_channels: int) -> None:
        super().__init__()
        self.stride = settings.stride
        widths = vgg16_widths(settings.base_channels)
        hidden = 8 * widths[-1]  # 4096, of VGG-16's layers after the convolutions
        self.stages = vgg16_stages(settings.base_channels, batch_norm=False, image_padding=PADDING)
        self.hidden = nn.Sequential(
            nn.Conv2d(widths[-1], hidden, 7),
            nn.ReLU(inplace=True),
            nn.Dropout(settings.dropout),
            nn.Conv2d(hidden, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Dropout(settings.dropout),
        ).apply(draw_rectified)
        skips = SKIPS[settings.stride]
        scored = [hidden, *widths[-2 : -2 - skips : -1]]
        self.scores = nn.ModuleList(_score(width, out_channels) for width in scored)
        factors = [*[2] * skips, settings.stride]
        self.up = nn.ModuleList(_bilinear(out_channels, factor) for factor in factors)
        self.up[-1].requires_grad_(settings.final_upsampling == "learned")

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where scores are computed and enlarged, from the smallest map on."""
        scores = [ClassRows(f"scores.{number}") for number in range(len(self.scores))]
        ups = [ClassRows(f"up.{number}", reads_classes=True) for number in range(len(self.up))]
        return (*scores, *ups)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of the images' size."""
        pooled: list[Tensor] = []
        maps = images
        for stage in self.stages:
            # With a square for the last row too, as in the paper's framework.
            maps = functional.max_pool2d(stage(maps), 2, ceil_mode=True)
            pooled.append(maps)
        scores: Tensor = self.scores[0](self.hidden(maps))
        skips = zip(self.up, self.scores[1:], pooled[-2::-1], SKIP_OFFSETS, strict=False)
        for up, score, skip, offset in skips:
            grown = up(scores)
            scores = grown + score(_cut(skip, offset, grown))
        return _cut(self.up[-1](scores), OUTPUT_OFFSETS[self.stride], images)


def build_fcn(settings: FCNSettings, out_channels: int) -> FCN:
    """Build the network, with random weights."""
    return FCN(settings, out_channels)


def load_classifier(network: FCN, _: FCNSettings) -> tuple[LoadedWeights, ...]:
    """Give all but scores and upsampling the pretrained weights that the settings name.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    connected = [_as_linear(layer) for layer in network.hidden if isinstance(layer, nn.Conv2d)]
    kept = nn.ModuleDict({"stages": network.stages, "hidden": nn.ModuleList(connected)})
    layers = {
        **{theirs: f"stages.{ours}" for theirs, ours in stage_layers(network.stages).items()},
        "classifier.0": "hidden.0",
        "classifier.3": "hidden.1",
    }
    return (load_into(kept, vgg16_source(batch_norm=False), rename=rename_by(layers)),)


def _as_linear(convolution: nn.Conv2d) -> nn.Linear:
    """Return a fully connected layer that shares the weights of a convolution."""
    layer = nn.Linear(1, 1, device="meta")
    layer.weight = nn.Parameter(convolution.weight.detach().flatten(1))
    layer.bias = convolution.get_parameter("bias")
    return layer


def _score(width: int, out_channels: int) -> nn.Conv2d:
    """Build a layer of scores that starts at zero: random ones train no better (section 4.3)."""
    layer = nn.Conv2d(width, out_channels, 1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.get_parameter("bias"))
    return layer


def _bilinear(channels: int, factor: int) -> nn.ConvTranspose2d:
    """Build a transposed convolution that starts as bilinear interpolation of each channel."""
    layer = nn.ConvTranspose2d(channels, channels, 2 * factor, stride=factor, bias=False)
    places = torch.arange(2 * factor, device=layer.weight.device)
    line = 1 - (places - (factor - 0.5)).abs() / factor
    nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.weight.diagonal(dim1=0, dim2=1).copy_(torch.outer(line, line).unsqueeze(-1))
    return layer


def _cut(maps: Tensor, offset: int, like: Tensor) -> Tensor:
    """Cut (…, h, w) to the height and width of another, from `offset` on in both directions."""
    height, width = like.shape[-2:]
    return maps[..., offset : offset + height, offset : offset + width]
