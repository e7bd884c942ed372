"""What a study file may say of the scripted trainer `noop`; torch-free."""

import difflib
from typing import Literal

from pydantic import Field, field_validator

from models.frozen_settings import FrozenSettings
from models.settings import ModelSettings

# Settings that a planted landscape may depend on: positive in every configuration.
PLANTABLE = ("learning_rate", "batch_size", "accumulate", "epochs", "image_size", "threshold")
# Settings that tell cells apart for a fault.
MATCHABLE = (*PLANTABLE[:-1], "weight_decay", "momentum", "seed")


def _check_names(given: dict[str, float], known: tuple[str, ...], what: str) -> dict[str, float]:
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean '{close[0]}'?" if close else ""
            raise ValueError(f"{what} must name one of {', '.join(known)}, got '{name}'{meant}")
    return given


class Fault(FrozenSettings):
    """Something that goes wrong in the middle of an epoch."""

    action: Literal["raise", "oom", "exit", "kill", "hang", "nan", "segfault"] = Field(
        description="raise: an error of code; oom: out of memory, unless the micro-batch is at "
        "most `fits_micro_batch`; exit: the process ends with `code`; kill: SIGKILL; hang: never "
        "returns and never looks whether to stop; nan: the loss is not a number; segfault."
    )
    at_epoch: int = Field(1, ge=1, description="Epoch it happens in, before its checkpoint.")
    attempts: int | None = Field(
        None, ge=1, description="How many attempts at a cell suffer it; null: every one."
    )
    when: dict[str, float] = Field(
        default_factory=dict,
        description="Only cells with these settings suffer it, e.g. {batch_size: 2, seed: 0}.",
    )
    code: int = Field(1, ge=0, le=255, description="Exit code of action exit.")
    fits_micro_batch: int = Field(
        0, ge=0, description="Most images that fit into memory, for action oom; 0: none."
    )

    @field_validator("when")
    @classmethod
    def _when_names_settings(cls, when: dict[str, float]) -> dict[str, float]:
        return _check_names(when, MATCHABLE, "when")


class NoopSettings(ModelSettings):
    """A trainer that trains nothing: it sleeps, scores a planted landscape and fails as told."""

    name: Literal["noop"] = "noop"
    epoch_seconds: float = Field(0.0, ge=0, description="Time an epoch takes, seconds.")
    optimum: dict[str, float] = Field(
        default_factory=dict,
        description="Setting -> its best value: each decade away from it costs 0.1 of the score "
        "0.9; empty: every configuration scores the same.",
    )
    noise: float = Field(
        0.0, ge=0, description="Standard deviation of the score between seeds and configurations."
    )
    faults: list[Fault] = Field(default_factory=list, description="What goes wrong, and when.")
    images: int = Field(16, ge=1, description="Training images per epoch.")
    macs_per_image: float = Field(
        1000.0, ge=0, description="Multiply-accumulates of a forward pass of one image."
    )

    @field_validator("optimum")
    @classmethod
    def _optimum_names_settings(cls, optimum: dict[str, float]) -> dict[str, float]:
        for name, value in _check_names(optimum, PLANTABLE, "optimum").items():
            if value <= 0:
                raise ValueError(f"optimum of {name} must be above 0, got {value:g}")
        return optimum
