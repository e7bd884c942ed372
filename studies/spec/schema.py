"""The study file as frozen models; every field says its unit and meaning.

The fields of `data` and `model` depend on the dataset and network that are named: `StudySpec`
is built over the catalogs, so that each entry's own settings are checked and appear in the
JSON Schema.
"""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, Union

from pydantic import Field, field_validator, model_validator

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
from studies.spec.budget_schema import DURATION, Budget
from studies.spec.search_schema import Search

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
PATTERNS = {  # the same in words, for error messages
    NAME: "lower-case letters, digits and . _ -, starting with a letter or digit",
    METRIC: "val/ or test/ and the metric's name, such as val/iou",
    r"\{split\}": "a folder with {split} in its name, such as images/{split}",
    DURATION: "a number and s, m, h or d, such as 90s or 1.5h",
}
Direction = Literal["maximize", "minimize"]
Task = Literal[
    "semantic_segmentation",
    "instance_segmentation",
    "object_detection",
    "action_recognition",
    "image_classification",
]


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
        default_factory=list,
        description="Cited results to compare with: names that `visionstudy baselines list` "
        "prints, and CSV files of your own, relative to this file.",
    )
