"""Networks that take squares alone must be given squares."""

from models.catalog import MODELS
from models.settings import ModelSettings

WIDE = "shorter_side"  # the one policy of `data.resize` that keeps a picture's shape


def shape_fault(model: ModelSettings, resize: str) -> str | None:
    """Return what must hold where a network would be given pictures that are no squares."""
    if not MODELS[model.name].needs_square or resize != WIDE:
        return None
    return (
        f"{model.name} takes squares of image_size alone, and '{WIDE}' keeps a picture's shape; "
        "use stretch or letterbox"
    )
