"""What networks of clips are given, and whether they can make something of it."""

from data_pipeline.datasets.settings.videos import VideoFields
from data_pipeline.settings import DataSettings
from models.catalog import MODELS
from models.entries import ClipShape
from models.settings import ModelSettings


def clip_shape(data: DataSettings) -> ClipShape | None:
    """Return what the clips of a dataset have; None where it has pictures."""
    if not isinstance(data, VideoFields):
        return None
    clip = data.clip
    return ClipShape(clip.frames, has_flow=clip.flow is not None, scored=clip.views * clip.crops)


def clip_fault(model: ModelSettings, data: DataSettings) -> str | None:
    """Return what must hold where a network cannot be given the clips of a dataset."""
    rule, clip = MODELS[model.name].clip_rule, clip_shape(data)
    return None if rule is None or clip is None else rule(model, clip)
