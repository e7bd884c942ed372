"""How what is in a box is described, so that a tracker knows it again.

describe = build_appearance(ColourAppearanceSettings())
descriptors = describe(frame, boxes_xyxy)
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.resolve import resolve
from models.tracking.settings import ColourAppearanceSettings, NetworkAppearanceSettings

# (frame (h, w, 3) uint8 RGB, boxes (n, 4) xyxy pixels) -> (n, d) float32 of length 1
Appearance: TypeAlias = Callable[[NDArray[np.uint8], NDArray[np.floating]], NDArray[np.float32]]
BUILDERS = {
    "colour": "models.tracking.colour_appearance:build_colour_appearance",
    "network": "models.tracking.network_appearance:build_network_appearance",
}  # name in the settings -> (settings, device) -> Appearance


def build_appearance(
    settings: ColourAppearanceSettings | NetworkAppearanceSettings, device: str = "cpu"
) -> Appearance:
    """Return what describes boxes; a network among them computes on `device`.

    Raises:
        ValueError: The file of weights is not of the network.
    """
    built: Appearance = resolve(BUILDERS[settings.name])(settings, device)
    return built
