"""What every settings class of the models is; torch-free."""

from pydantic import BaseModel, ConfigDict


class FrozenSettings(BaseModel):
    """Settings that cannot change after loading; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
