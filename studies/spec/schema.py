"""The study file as frozen models; every field says its unit and meaning.

The fields of `data` and `model` depend on the dataset and network that are named: `StudySpec`
is built over the catalogs, so that each entry's own settings are checked and appear in the
JSON Schema.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from data_pipeline.catalog import DATASETS
from data_pipeline.settings import DataSettings
from models.catalog import MODELS
from models.frozen_settings import FrozenSettings
from models.settings import (
    EvaluationSettings,
    ModelSettings,
    Threshold,
    TrainingSettings,
)

if TYPE_CHECKING:
    AnyData: TypeAlias = DataSettings
    AnyModel: TypeAlias = ModelSettings
else:  # a union over the catalogs, told apart by name
    AnyData = Annotated[
        Union[tuple(entry.settings for entry in DATASETS.values())],  # noqa: UP007
        Field(discriminator="dataset"),
    ]
    AnyModel = Annotated[
        Union[tuple(entry.settings for entry in MODELS.values())],  # noqa: UP007
        Field(discriminator="name"),
    ]

NAME = r"^[a-z0-9][a-z0-9._-]*$"
METRIC = r"^(val|test)/[a-z0-9_]+$"
DURATION = r"^\d+(\.\d+)?(s|m|h|d)$"
PATTERNS = {  # the same in words, for error messages
    NAME: "lower-case letters, digits and . _ -, starting with a letter or digit",
    METRIC: "val/ or test/ and the metric's name, such as val/iou",
    r"\{split\}": "a folder with {split} in its name, such as images/{split}",
    DURATION: "a number and s, m, h or d, such as 90s or 1.5h",
}
Direction = Literal["maximize", "minimize"]
Sampler = Literal["tpe", "gp", "random", "qmc"]
Task = Literal[
    "semantic_segmentation", "instance_segmentation", "object_detection", "action_recognition"
]
Duration: TypeAlias = Annotated[
    str, Field(pattern=DURATION, description="A number and s, m, h or d.")
]
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration_s(text: str) -> float:
    """Return the seconds of a `Duration` such as '90s', '1.5h' or '2d'."""
    return float(text[:-1]) * SECONDS[text[-1]]


class Objective(FrozenSettings):
    """What makes one configuration better than another."""

    metric: str = Field(pattern=METRIC, description="Metric to select by, e.g. val/iou.")
    direction: Direction = Field("maximize", description="Whether more is better.")
    select_on: Literal["validation", "test"] = Field(
        "validation",
        description="Split to select on; test only to repeat a work that did so. Flagged.",
    )

    @model_validator(mode="after")
    def _metric_is_of_the_split(self) -> "Objective":
        expected = "val/" if self.select_on == "validation" else "test/"
        if not self.metric.startswith(expected):
            raise ValueError(
                f"metric '{self.metric}' is not of the split that select_on names; "
                f"write '{expected}{self.metric.split('/', 1)[1]}', or change select_on"
            )
        return self


class TrialBudget(FrozenSettings):
    """Most that one cell may use, over all its attempts."""

    time: Duration | None = Field(
        None, description="Training time; when it is up the epoch ends and the cell is scored."
    )
    silence: Duration = Field(
        "30m", description="A trial that takes no step for so long hangs, and is ended."
    )


class StudyBudget(FrozenSettings):
    """Most that the study may use; cells left over are shown as not run."""

    epochs: int | None = Field(None, ge=1, description="Epochs, summed over all cells.")
    time: Duration | None = Field(None, description="Wall time, summed over all launches.")
    gpu_hours: float | None = Field(
        None, gt=0, description="Hours of trials on a device (GPU, or CPU worker), summed."
    )


class Budget(FrozenSettings):
    """Limits; null fields are unlimited."""

    per_trial: TrialBudget = Field(default_factory=TrialBudget, description="Per cell.")
    study: StudyBudget = Field(default_factory=StudyBudget, description="For all cells.")


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


class Select(FrozenSettings):
    """How a stage's winner is chosen."""

    beam: int = Field(1, ge=1, description="Best branches kept per stage.")
    ties: Literal["cheapest", "best_mean"] = Field(
        "cheapest",
        description="Among configurations that cannot be told from the best mean, take the "
        "cheapest (fewest training multiply-accumulates), or the best mean all the same.",
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Of every interval.")


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


class AssemblySettings(FrozenSettings):
    """One network per class, put together per pixel once the tree is decided."""

    single_network: bool = Field(
        False,
        description="Also train one network for all classes, with as much compute as the class "
        "networks of its seed took together, and compare the two.",
    )
    thresholds: list[Threshold] | None = Field(
        None,
        min_length=1,
        description="Probabilities to choose from, on the split that objective.select_on names; "
        "null: those of the last after_training stage that lists evaluation.threshold, or else "
        "0.05, 0.1, … 0.95.",
    )

    @field_validator("thresholds")
    @classmethod
    def _thresholds_are_distinct(cls, thresholds: list[float] | None) -> list[float] | None:
        for index, value in enumerate(thresholds or []):
            if value in (thresholds or [])[:index]:
                raise ValueError(f"must name {value:g} once; remove the second")
        return thresholds


class CellSettings(FrozenSettings):
    """What one cell is trained and scored with; the part of a study that stages may vary."""

    data: AnyData
    model: AnyModel
    training: TrainingSettings
    evaluation: EvaluationSettings


class StudySpec(FrozenSettings):
    """One study file."""

    study: str = Field(pattern=NAME, description="Name: lower case, digits and . _ -")
    task: Task = Field(description="What is predicted.")
    description: str = Field("", description="What the study asks; Markdown.")
    data: AnyData = Field(description="Dataset and how it is cut.")
    model: AnyModel = Field(description="Network.")
    training: TrainingSettings = Field(
        default_factory=TrainingSettings, description="How the network is trained."
    )
    evaluation: EvaluationSettings = Field(
        default_factory=EvaluationSettings, description="How predictions are scored."
    )
    objective: Objective = Field(description="What makes a configuration better.")
    budget: Budget = Field(default_factory=Budget, description="Limits.")
    search: Search = Field(description="What is tried.")
    assembly: AssemblySettings | None = Field(
        None,
        description="Put the networks of single classes together; needs "
        "data.one_model_per_class. {}: with defaults; null: not.",
    )
    weights: Literal["winners", "all", "none"] = Field(
        "winners", description="Whose best weights are kept and put in MLflow."
    )
    baselines: list[str] = Field(
        default_factory=list, description="Cited results to compare with."
    )
