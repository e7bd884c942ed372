"""The table of Inception-v1 (Szegedy et al. 2015, table 1), which I3D and S3D extend over time."""

from typing import NamedTuple

from models.video.widths import scaled

STEM = (64, 64, 192)  # filters of the three convolutions before the first module
FEATURES = 1024  # channels that the last module returns


class Branches(NamedTuple):
    """Filters of a module's four branches, whose outputs are put together."""

    single: int  # 1x1
    before_third: int  # 1x1 before
    third: int  # a convolution of 3x3
    before_fifth: int  # 1x1 before
    fifth: int  # the paper's convolution of 5x5, of 3x3 in I3D, S3D and torchvision's GoogLeNet
    pooled: int  # 1x1 after a pooling

    @property
    def out_channels(self) -> int:
        """Count the channels that the module returns."""
        return self.single + self.third + self.fifth + self.pooled


# By name, in order; a pooling comes before 4a and before 5a.
MODULES = {
    "3a": Branches(64, 96, 128, 16, 32, 32),
    "3b": Branches(128, 128, 192, 32, 96, 64),
    "4a": Branches(192, 96, 208, 16, 48, 64),
    "4b": Branches(160, 112, 224, 24, 64, 64),
    "4c": Branches(128, 128, 256, 24, 64, 64),
    "4d": Branches(112, 144, 288, 32, 64, 64),
    "4e": Branches(256, 160, 320, 32, 128, 128),
    "5a": Branches(256, 160, 320, 32, 128, 128),
    "5b": Branches(384, 192, 384, 48, 128, 128),
}


def modules_of(width: float) -> dict[str, Branches]:
    """Return the modules with so much of their filters."""
    return {
        name: Branches(*(scaled(count, width) for count in branches))
        for name, branches in MODULES.items()
    }
