"""What a clip must be for networks that see its colours alone; torch-free."""

from models.entries import ClipShape
from models.settings import ModelSettings

HALVINGS = 3  # of time, in Inception over time
LEAST_FRAMES = 2**HALVINGS


def colour_clip_rule(settings: ModelSettings, clip: ClipShape) -> str | None:
    """Return None where a clip has no flow, else what must hold."""
    if not clip.has_flow:
        return None
    return (
        f"clips of {settings.name} must be red, green and blue alone, got optical flow too; set "
        "data.clip.flow: null"
    )


def halving_clip_rule(settings: ModelSettings, clip: ClipShape) -> str | None:
    """Return None where a clip has no flow and time can be halved, else what must hold."""
    if clip.frames >= LEAST_FRAMES:
        return colour_clip_rule(settings, clip)
    return too_short(settings.name, clip)


def too_short(name: str, clip: ClipShape) -> str:
    """Say that time cannot be halved so often."""
    return (
        f"clips of {name} must have at least {LEAST_FRAMES} frames ({HALVINGS} halvings of time), "
        f"got {clip.frames}; set data.clip.frames to {LEAST_FRAMES} or more"
    )
