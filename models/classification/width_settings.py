"""Networks that may be narrower than published, whose weights they start from; torch-free."""

from typing import Self

from pydantic import model_validator

from models.pretrained_settings import PretrainedModelSettings
from models.video.widths import Width


class NarrowableSettings(PretrainedModelSettings):
    """Fields of networks of any width, with pretrained weights of the published one."""

    width: Width = 1.0

    @model_validator(mode="after")
    def _fits_pretrained(self) -> Self:
        if self.pretrained != "none" and self.width != 1:
            raise ValueError(
                f"pretrained '{self.pretrained}' has width 1, got {self.width:g}; use that, or "
                "pretrained 'none'"
            )
        return self
