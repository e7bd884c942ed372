"""SSDlite on MobileNetV3-Large (Howard et al. 2019, section 6.3), of torchvision's parts."""

from functools import partial

from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import mobilenet_v3_large  # type: ignore[import-untyped]
from torchvision.models.detection.ssdlite import (  # type: ignore[import-untyped]
    SSDLiteFeatureExtractorMobileNet,
    SSDLiteHead,
)

from models.detection.default_boxes import DefaultBoxes
from models.detection.ssd import SSD
from models.detection.ssd_settings import VGG_MAPS, SSDLiteSettings

CUT = 13  # block of the network whose expansion is the first map
SPREAD = 0.03  # of weights as they are drawn


class SteadyBatchNorm(nn.BatchNorm2d):
    """Batch normalisation that takes its running statistics where a batch has none.

    The last map of an image of 320 pixels is a single one, which has no variance in a batch of
    one image.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return the same shape, (b, c, h, w)."""
        if self.training and maps.numel() == maps.shape[1]:
            return functional.batch_norm(
                maps, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(maps)


def build_ssdlite(settings: SSDLiteSettings, out_channels: int) -> SSD:
    """Build the network with random weights; channel 0 is the background."""
    norm = partial(SteadyBatchNorm, eps=0.001, momentum=settings.norm_momentum)
    # ImageNet's weights are of the network whose last layers are not halved (table 6).
    body = mobilenet_v3_large(norm_layer=norm, reduced_tail=settings.pretrained != "imagenet")
    body.features.apply(_draw)
    backbone = SSDLiteFeatureExtractorMobileNet(body.features, CUT, norm)
    backbone.extra = backbone.extra[: len(settings.ratios) - VGG_MAPS]
    channels = [body.features[CUT].block[0].out_channels, body.features[-1].out_channels]
    channels += [block[-1].out_channels for block in backbone.extra]
    boxes = DefaultBoxes(settings.ratios, settings.box_scales, (None,) * len(channels))
    head = SSDLiteHead(channels, boxes.of_a_place, out_channels, norm)
    return SSD(backbone, head, default_boxes=boxes, settings=settings, channels=out_channels)


def _draw(module: nn.Module) -> None:
    """Draw a convolution's weights as those of the head are; for `nn.Module.apply`."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, std=SPREAD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
