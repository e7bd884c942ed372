"""What a study file may say of the references, which learn nothing by gradients; torch-free."""

from typing import Literal

from pydantic import Field

from models.loss_settings import LOSSES_OF_SETTINGS
from models.settings import ModelSettings, TrainingSettings

# What training minimises is reported of references too; everything else is about how it learns.
IDLE_WITHOUT_GRADIENTS = tuple(
    name for name in TrainingSettings.model_fields if name not in ("loss", *LOSSES_OF_SETTINGS)
)


class ConstantSettings(ModelSettings):
    """Pixels, images or clips have the same probabilities: the training's shares of classes."""

    name: Literal["constant"] = "constant"


class OtsuSettings(ModelSettings):
    """Each image is cut into dark and bright by Otsu's threshold; training says which is what."""

    name: Literal["otsu"] = "otsu"


class ConstantBoxesSettings(ModelSettings):
    """Every image has the same boxes: those that cover the objects of the training split best."""

    name: Literal["constant_boxes"] = "constant_boxes"
    boxes: int = Field(
        10,
        ge=1,
        le=100,
        description="Boxes of each class; COCO counts at most 100 detections of an image.",
    )
