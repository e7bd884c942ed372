"""What a study file may say of pretrained weights; torch-free."""

from typing import ClassVar, Literal

from pydantic import Field

from models.settings import ModelSettings

NO_NORMALIZATION = (
    "weights pretrained on ImageNet expect its pixel statistics, and pixels are scaled to "
    "[-1, 1] without `normalize`; set data.normalize: imagenet (or a mean and std of your own), "
    "or model.pretrained: none"
)
NORMALIZATION = (
    "weights pretrained by Darknet expect pixels in [0, 1], which the network makes of pixels "
    "that were not normalised; remove data.normalize, or set model.pretrained: none"
)


class PretrainedModelSettings(ModelSettings):
    """Fields of every network whose first layers can start from pretrained weights."""

    expects_normalized: ClassVar[bool] = True  # pixels, where weights are pretrained
    why_not_normalized: ClassVar[str] = NORMALIZATION  # said of pixels that are

    pretrained: Literal["none", "imagenet"] = Field(
        "none",
        description="Weights that the backbone starts from, downloaded once into torch's cache "
        "(TORCH_HOME). imagenet: of a classifier trained on ImageNet, which needs "
        "data.normalize: imagenet; none: random.",
    )


def names_weights(settings: ModelSettings) -> bool:
    """Tell whether a network starts from pretrained weights."""
    return isinstance(settings, PretrainedModelSettings) and settings.pretrained != "none"


def pretrained_fault(settings: ModelSettings, *, is_normalized: bool) -> str | None:
    """Return what must hold where pretrained weights would see pixels they do not know."""
    if not isinstance(settings, PretrainedModelSettings) or not names_weights(settings):
        return None
    if settings.expects_normalized:
        return None if is_normalized else NO_NORMALIZATION
    return settings.why_not_normalized if is_normalized else None
