"""SegNet: VGG-16's convolutions and their mirror image (Badrinarayanan et al. 2017).

The decoder has the encoder's convolutions in reverse order and puts each map's pixels back where
the encoder's pooling of the same stage found its maxima; nothing else is handed across.
"""

from torch import Tensor, nn

from models.class_rows import ClassRows
from models.pretrained import LoadedWeights, load_into
from models.segmentation.initialisation import draw_rectified
from models.segmentation.upsampling import (
    FixedUpsampling,
    max_pool,
    max_unpool,
    transposed_convolution,
)
from models.segmentation.vgg import (
    CONVOLUTIONS,
    convolution_layers,
    rename_by,
    stage_layers,
    vgg16_source,
    vgg16_stages,
    vgg16_widths,
)
from models.segmentation.vgg_settings import SegNetSettings


class SegNet(nn.Module):
    """RGB images (b, 3, h, w), sides multiples of 32, to logits (b, out_channels, h, w)."""

    def __init__(self, settings: SegNetSettings, out_channels: int) -> None:
        super().__init__()
        widths = vgg16_widths(settings.base_channels)
        self.unpools = settings.upsampling == "max_unpooling"
        self.encoder = vgg16_stages(settings.base_channels, batch_norm=True)
        self.up = nn.ModuleList(_upsampling(settings, width) for width in widths[::-1])
        self.decoder = nn.ModuleList(_decoder_stages(widths))
        # The mirror image of the first convolution gives the logits.
        self.classify = nn.Conv2d(widths[0], out_channels, 3, padding=1)
        for part in (self.up, self.decoder, self.classify):
            part.apply(draw_rectified)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("classify"),)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of the images' size."""
        places: list[Tensor] = []
        maps = images
        for stage in self.encoder:
            maps, found = max_pool(stage(maps))
            places.append(found)
        for up, stage in zip(self.up, self.decoder, strict=True):
            found, maps = places.pop(), up(maps)
            maps = stage(max_unpool(maps, found) if self.unpools else maps)
        logits: Tensor = self.classify(maps)
        return logits


def build_segnet(settings: SegNetSettings, out_channels: int) -> SegNet:
    """Build the network, with random weights."""
    return SegNet(settings, out_channels)


def load_encoder(network: SegNet, _: SegNetSettings) -> tuple[LoadedWeights, ...]:
    """Give the encoder the pretrained weights that the settings name.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    source, rename = vgg16_source(batch_norm=True), rename_by(stage_layers(network.encoder))
    return (load_into(network.encoder, source, rename=rename),)


def _upsampling(settings: SegNetSettings, width: int) -> nn.Module:
    """Double the size, but for max unpooling, which has no layer of its own."""
    if settings.upsampling == "max_unpooling":
        return nn.Identity()
    if settings.upsampling == "transposed":
        return transposed_convolution(width, width, 2)
    return FixedUpsampling(settings.upsampling)


def _decoder_stages(widths: list[int]) -> list[nn.Sequential]:
    """Build the encoder's stages backwards, without the convolution that reads the image."""
    stages = []
    for stage in range(len(widths) - 1, -1, -1):
        narrower = [widths[stage - 1]] if stage > 0 else []
        ends = [widths[stage]] * (CONVOLUTIONS[stage] - 1) + narrower
        starts = [widths[stage], *ends[:-1]]
        layers: list[nn.Module] = []
        for before, after in zip(starts, ends, strict=True):
            layers += convolution_layers(before, after, batch_norm=True)
        stages.append(nn.Sequential(*layers))
    return stages
