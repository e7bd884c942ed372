"""What lies between a scene and its photograph: light, blur and noise."""

import cv2
import numpy as np
from numpy.typing import NDArray


def photographed(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Return a (h, w, 3) picture as a camera might have taken it."""
    height, width = picture.shape[:2]
    seen = picture.astype(np.float32)
    seen *= _lit(height, width, random)[..., None]
    seen *= random.uniform(0.9, 1.1, size=3).astype(np.float32)  # white balance
    contrast, exposure = float(random.uniform(0.75, 1.15)), float(random.uniform(0.7, 1.15))
    seen = (seen - 118) * contrast + 118 * exposure
    blur = float(random.uniform(0.0, 0.8))
    if blur > 0.3:
        seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), blur), dtype=np.float32)
    grain = random.standard_normal((height, width, 3), dtype=np.float32)
    seen += grain * float(random.uniform(1.5, 7.0))
    return np.clip(seen, 0, 255).astype(np.uint8)


def _lit(height: int, width: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Light from one side, and darker corners: (h, w) factors about 1."""
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    side = float(random.uniform(-0.16, 0.16)) * across + float(random.uniform(-0.08, 0.08)) * down
    corners = float(random.uniform(0.0, 0.16)) * (across**2 + down**2)
    return np.asarray(1 + side - corners, dtype=np.float32)
