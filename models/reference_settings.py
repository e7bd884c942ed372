"""What a study file may say of the references, which learn nothing by gradients; torch-free."""

from typing import Literal

from models.settings import ModelSettings


class ConstantSettings(ModelSettings):
    """Every pixel has the same probabilities: the share of each class in the training split."""

    name: Literal["constant"] = "constant"


class OtsuSettings(ModelSettings):
    """Each image is cut into dark and bright by Otsu's threshold; training says which is what."""

    name: Literal["otsu"] = "otsu"
