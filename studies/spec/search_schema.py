"""What is tried, as a study file says it: `search`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from models.frozen_settings import FrozenSettings
from studies.spec.select_schema import Select

Sampler = Literal["tpe", "gp", "random", "qmc"]


class Range(FrozenSettings):
    """Numbers between two ends, for a sampler to propose from."""

    low: float = Field(description="Smallest value, in the setting's own unit.")
    high: float = Field(description="Largest value, in the setting's own unit.")
    log: bool = Field(False, description="Propose evenly on a logarithmic scale.")
    step: float | None = Field(None, gt=0, description="Distance of allowed values; null: any.")
    integer: bool = Field(False, description="Whole numbers only.")

    @model_validator(mode="after")
    def _ends_are_in_order(self) -> "Range":
        if self.low >= self.high:
            raise ValueError(f"high ({self.high:g}) must be greater than low ({self.low:g})")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs low above 0, got {self.low:g}")
        if self.log and self.step is not None:
            raise ValueError("log and step exclude each other; remove one")
        return self


def _list_or_range(value: object) -> str:
    return "range" if isinstance(value, Mapping | Range) else "list"


Choices: TypeAlias = Annotated[list[Any], Field(min_length=1)]
if TYPE_CHECKING:
    Varied: TypeAlias = list[Any] | Range
else:  # told apart by shape, so that an error speaks of the one that was meant
    Varied = Annotated[
        Annotated[Choices, Tag("list")] | Annotated[Range, Tag("range")],
        Discriminator(_list_or_range),
    ]
Vary: TypeAlias = dict[str, Varied]


class StageSpec(FrozenSettings):
    """One branching point: some settings vary, the winner is inherited by the stages below."""

    stage: str = Field(min_length=1, description="Name of the stage, unique in the study.")
    vary: Vary = Field(
        min_length=1,
        description="Dotted setting -> list of values (their product is tried), or a range.",
    )
    together: bool = Field(
        False,
        description="Lists of `vary` are gone through side by side, first value with first value, "
        "second with second, instead of in every combination.",
    )
    only: dict[str, list[Any]] = Field(
        default_factory=dict,
        description="Restrict this stage to some values, e.g. data.classes: [car].",
    )
    with_: dict[str, Any] = Field(
        default_factory=dict,
        alias="with",
        description="Settings that hold in this stage for every configuration.",
    )
    per: Literal["data.classes"] | None = Field(
        None, description="Each class keeps its own winner."
    )
    beam: int | None = Field(
        None, ge=1, description="Best branches kept; null: the study's `select.beam`."
    )
    after_training: bool = Field(
        False, description="Re-score saved predictions; only evaluation settings may vary."
    )
    sampler: Sampler | None = Field(
        None, description="Who proposes from ranges; null: lists only, all of them."
    )
    trials: int | None = Field(None, ge=1, description="Configurations a sampler proposes.")


class JointSpec(FrozenSettings):
    """All settings searched at once."""

    space: Vary = Field(min_length=1, description="Dotted setting -> list of values or a range.")
    sampler: Sampler = Field("tpe", description="Who proposes.")
    trials: int = Field(ge=1, description="Configurations to try.")


class Search(FrozenSettings):
    """A tree of stages, or one joint search."""

    base: bool = Field(
        False, description="Measure the base settings first, as a stage of their own."
    )
    tree: list[StageSpec] = Field(default_factory=list, description="Stages, in order.")
    joint: JointSpec | None = Field(None, description="One search over everything.")
    replicates: int = Field(1, ge=1, description="Seeds per configuration: 0, 1, 2, …")
    select: Select = Field(default_factory=Select, description="How winners are chosen.")

    @model_validator(mode="after")
    def _is_tree_or_joint(self) -> "Search":
        if bool(self.tree) == (self.joint is not None):
            raise ValueError("search needs either `tree` or `joint`, and not both")
        return self
