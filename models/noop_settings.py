"""What a study file may say of the scripted trainer `noop`; torch-free."""

import difflib
from typing import Literal

from pydantic import Field, field_validator, model_validator

from models.frozen_settings import FrozenSettings
from models.settings import ModelSettings

# Settings that a planted landscape may depend on: positive in every configuration.
PLANTABLE = ("learning_rate", "batch_size", "accumulate", "epochs", "image_size", "threshold")
TRAINED = PLANTABLE[:-1]  # those that a landscape depends on in training
# Settings that tell cells apart for a fault.
MATCHABLE = (*TRAINED, "weight_decay", "momentum", "seed")


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


class Interaction(FrozenSettings):
    """A setting whose best value depends on another's."""

    of: tuple[str, str] = Field(
        description="The setting whose best value moves, and the one it moves with; both have an "
        "optimum."
    )
    strength: float = Field(
        1.0,
        description="Decades that the best value moves for each decade that the other is away "
        "from its own optimum.",
    )

    @field_validator("of")
    @classmethod
    def _of_names_settings(cls, of: tuple[str, str]) -> tuple[str, str]:
        _check_names(dict.fromkeys(of, 0.0), TRAINED, "interaction.of")
        if of[0] == of[1]:
            raise ValueError(f"interaction.of must name two settings, got '{of[0]}' twice")
        return of

    @field_validator("strength")
    @classmethod
    def _strength_moves_something(cls, strength: float) -> float:
        if strength == 0:
            raise ValueError("interaction.strength must not be 0, which moves nothing; remove it")
        return strength


class NoopSettings(ModelSettings):
    """A trainer that trains nothing: it sleeps, scores a planted landscape and fails as told."""

    name: Literal["noop"] = "noop"
    epoch_seconds: float = Field(0.0, ge=0, description="Time an epoch takes, seconds.")
    optimum: dict[str, float] = Field(
        default_factory=dict,
        description="Setting -> its best value: each decade away from it costs 0.1 of the score "
        "0.9; empty: every configuration scores the same.",
    )
    interaction: Interaction | None = Field(
        None,
        description="One setting's optimum moves with another's value; null: none does.",
        json_schema_extra={"since": "0.2"},
    )
    noise: float = Field(
        0.0,
        ge=0,
        description="Standard deviation of what each seed of each configuration adds to its "
        "score, independent of all others.",
    )
    seed_noise: float = Field(
        0.0,
        ge=0,
        description="Standard deviation of what a seed adds to the score of every configuration "
        "alike; comparing seed by seed it cancels.",
        json_schema_extra={"since": "0.2"},
    )
    reports: Literal["all", "objective"] = Field(
        "all",
        description="What an epoch reports: every metric that a segmentation network would, or "
        "the objective alone.",
        json_schema_extra={"since": "0.2"},
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

    @model_validator(mode="after")
    def _interaction_is_of_planted_settings(self) -> "NoopSettings":
        for name in self.interaction.of if self.interaction else ():
            if name not in self.optimum:
                raise ValueError(
                    f"interaction.of names {name}, which needs a best value; add it to optimum"
                )
        return self
