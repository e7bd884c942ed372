"""C3D: eight convolutions of 3x3x3, five poolings, two connected layers (Tran et al. 2015).

The networks that its authors searched its architecture with have five convolutions and half as
wide layers; the thesis's Table 1 is of those, with pictures of 56, 112 and 224 pixels.
The paper does not say how weights are drawn; here it is as He et al. 2015 do. Its program pools
windows that reach over the end of a map, so that 7 pixels become 4.
"""

from torch import Tensor, nn

from models.class_rows import ClassRows
from models.video.c3d_settings import C3DSettings
from models.video.initialisation import draw_rectified
from models.video.pooling import MaxPool
from models.video.widths import scaled

STAGES = {  # filters; a pooling follows each stage
    "paper": ((64,), (128,), (256, 256), (512, 512), (512, 512)),
    "architecture_search": ((64,), (128,), (256,), (256,), (256,)),
}
CONNECTED = {"paper": 4096, "architecture_search": 2048}  # outputs of both connected layers


class C3D(nn.Module):
    """Clips (b, 3, t, h, w) to logits (b, classes)."""

    def __init__(self, settings: C3DSettings, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for stage, filters in enumerate(STAGES[settings.form]):
            for count in filters:
                after = scaled(count, settings.width)
                layers += _convolution(channels, after, batch_norm=settings.batch_norm)
                channels = after
            # The first pooling keeps all frames, not to merge them too early (section 3.2).
            window = (1 if stage == 0 else 2, 2, 2)
            layers.append(MaxPool(window, window, ceil_mode=True))
        self.features = nn.Sequential(*layers)
        inputs = channels * settings.spans * settings.grid**2
        connected = scaled(CONNECTED[settings.form], settings.width)
        self.connected = nn.Sequential(
            nn.Linear(inputs, connected),
            nn.ReLU(inplace=True),
            nn.Dropout(settings.dropout),
            nn.Linear(connected, connected),
            nn.ReLU(inplace=True),
            nn.Dropout(settings.dropout),
        )
        self.output = nn.Linear(connected, classes)
        self.apply(draw_rectified)
        nn.init.normal_(self.output.weight, std=0.01)  # all classes begin about equally likely

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("output"),)

    def forward(self, clips: Tensor) -> Tensor:
        """Return the logits of clips of the size that the settings say."""
        logits: Tensor = self.output(self.connected(self.features(clips).flatten(1)))
        return logits


def build_c3d(settings: C3DSettings, out_channels: int) -> C3D:
    """Build C3D with random weights."""
    return C3D(settings, out_channels)


def _convolution(before: int, after: int, *, batch_norm: bool) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv3d(before, after, 3, padding=1)]
    if batch_norm:
        layers.append(nn.BatchNorm3d(after))
    return [*layers, nn.ReLU(inplace=True)]
