"""What a study file may say of pretrained weights of networks of clips; torch-free."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from models.pretrained_settings import PretrainedModelSettings

FROM_VIDEOS = (
    "Weights to start from, downloaded once into torch's cache (TORCH_HOME); they need "
    "data.normalize: null. kinetics400: torchvision's, trained on Kinetics-400, for all but the "
    "last layer; none: random."
)


class PretrainedVideoSettings(PretrainedModelSettings):
    """Fields of networks of clips that can start from pretrained weights.

    They bring pixels themselves to what the weights were trained on, as Kinetics' statistics are
    not those of ImageNet, and one study may compare networks that differ in them.
    """

    expects_normalized: ClassVar[bool] = False
    why_not_normalized: ClassVar[str] = (
        "networks of clips with pretrained weights normalise pixels themselves, each as its "
        "weights were trained; remove data.normalize, or set model.pretrained: none"
    )
    as_published: ClassVar[dict[str, Any]] = {"width": 1.0}  # what pretrained weights fit

    @model_validator(mode="after")
    def _fits_pretrained(self) -> Self:
        if self.pretrained == "none":
            return self
        for name, value in self.as_published.items():
            got = getattr(self, name, value)
            if got != value:
                raise ValueError(
                    f"pretrained '{self.pretrained}' has {name} {value}, got {got}; use that, or "
                    "set pretrained: none"
                )
        return self


class KineticsSettings(PretrainedVideoSettings):
    """Fields of networks that torchvision has weights of, trained on Kinetics-400."""

    pretrained: Literal["none", "kinetics400"] = Field(  # type: ignore[assignment]  # others than the base has
        "none", description=FROM_VIDEOS
    )
