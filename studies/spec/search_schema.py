"""What is tried, as a study file says it: `search`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator
from typing_extensions import TypeAliasType

from models.frozen_settings import FrozenSettings
from studies.spec.sampling_schema import Sampler, SearchRules
from studies.spec.select_schema import Confirmation, Select

__all__ = ["Branches", "JointSpec", "Range", "Sampler", "Search", "StageSpec", "Varied", "Vary"]
RANGE_KEYS = frozenset({"low", "high", "log", "step", "integer"})


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

    @model_validator(mode="after")
    def _is_whole(self) -> "Range":
        for name in ("low", "high", "step") if self.integer else ():
            value = getattr(self, name)
            if value is not None and not value.is_integer():
                raise ValueError(
                    f"{name} must be a whole number where only whole ones are proposed, "
                    f"got {value:g}"
                )
        return self

    @property
    def is_countable(self) -> bool:
        """Whether it has steps, so that all its values can be tried."""
        return self.step is not None or (self.integer and not self.log)

    def values(self) -> list[float]:
        """Return every value of a range with steps.

        Raises:
            ValueError: It has none.
        """
        if not self.is_countable:
            raise ValueError(
                f"a grid needs a range with `step`, got {self.low:g} to {self.high:g}"
            )
        step = self.step or 1
        count = int((self.high - self.low) / step + 1e-9) + 1
        values = [round(self.low + index * step, 12) for index in range(count)]
        return [int(value) for value in values] if self.integer else values


def _shape_of(value: object) -> str:
    """Tell a list, a range and branches apart, so that an error speaks of what was meant."""
    if isinstance(value, Range):
        return "range"
    if not isinstance(value, Mapping):
        return "list"
    spaces = [each for key, each in value.items() if key not in RANGE_KEYS]
    is_branches = spaces and all(each is None or isinstance(each, Mapping) for each in spaces)
    return "branches" if is_branches else "range"


def _nothing_is_an_empty_space(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: {} if each is None else each for key, each in value.items()}
    return value


Choices: TypeAlias = Annotated[list[Any], Field(min_length=1)]
if TYPE_CHECKING:
    Branches: TypeAlias = dict[str, "Vary"]
    Varied: TypeAlias = list[Any] | Range | Branches
    Vary: TypeAlias = dict[str, Varied]
else:
    # A choice -> what varies where it is chosen.
    Branches = TypeAliasType(
        "Branches",
        Annotated[
            dict[str, "Vary"],
            Field(min_length=2),
            BeforeValidator(_nothing_is_an_empty_space),
        ],
    )
    Varied = TypeAliasType(
        "Varied",
        Annotated[
            Annotated[Choices, Tag("list")]
            | Annotated[Range, Tag("range")]
            | Annotated[Branches, Tag("branches")],
            Discriminator(_shape_of),
        ],
    )
    Vary = TypeAliasType("Vary", dict[str, Varied])


class StageSpec(SearchRules):
    """One branching point: some settings vary, the winner is inherited by the stages below."""

    stage: str = Field(min_length=1, description="Name of the stage, unique in the study.")
    vary: Vary = Field(
        min_length=1,
        description="Dotted setting -> list of values (their product is tried), a range, or "
        "choices with settings of their own, such as {sgd: {training.momentum: [0, 0.9]}, "
        "adam: {}}; the last two need a sampler.",
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
    trials: int | None = Field(
        None, ge=1, description="Configurations a sampler proposes; null with grid: all."
    )


class JointSpec(SearchRules):
    """All settings searched at once."""

    space: Vary = Field(
        default_factory=dict,
        description="Dotted setting -> list of values, a range, or choices with settings of "
        "their own, such as {sgd: {training.momentum: [0, 0.9]}, adam: {}}.",
    )
    like: Literal["tree"] | None = Field(
        None,
        description="tree: the space is all that the stages under `tree` vary, and the search "
        "ends when it has trained as much as they would.",
    )
    sampler: Sampler = Field("tpe", description="Who proposes.")
    trials: int | None = Field(
        None,
        ge=1,
        description="Configurations to try; null with grid (all of them) and with `like` (as many "
        "as the tree's training allows).",
    )

    @model_validator(mode="after")
    def _has_a_space(self) -> "JointSpec":
        if bool(self.space) == (self.like is not None):
            raise ValueError("joint needs either `space` or `like: tree`, and not both")
        return self


class Search(FrozenSettings):
    """A tree of stages, or one joint search, which may be like a tree."""

    base: bool = Field(
        False, description="Measure the base settings first, as a stage of their own."
    )
    tree: list[StageSpec] = Field(default_factory=list, description="Stages, in order.")
    joint: JointSpec | None = Field(None, description="One search over everything.")
    replicates: int = Field(1, ge=1, description="Seeds per configuration: 0, 1, 2, …")
    select: Select = Field(default_factory=Select, description="How winners are chosen.")
    confirm: Confirmation | None = Field(
        None,
        description="Train the finalists again with seeds that chose nothing, against the "
        "winner's curse; {}: with defaults; null: not.",
    )
    probe: bool = Field(
        False,
        description="After the tree, try the neighbours of what each earlier stage chose with "
        "the final settings: what the greedy path missed.",
    )

    @model_validator(mode="after")
    def _is_tree_or_joint(self) -> "Search":
        if self.joint is not None and self.joint.like:
            if not self.tree:
                raise ValueError("search needs the stages that `joint.like: tree` is like")
        elif bool(self.tree) == (self.joint is not None):
            raise ValueError("search needs either `tree` or `joint`, and not both")
        return self
