"""What a cited number is: its value, the protocol behind it, and where and how it was read."""

from dataclasses import dataclass
from enum import StrEnum


class Verification(StrEnum):
    """How a number came into our files."""

    READ = "read in the source"
    QUOTED = "read where another work quotes it"
    RECALLED = "from memory, not read again"
    METADATA = "from the metadata of the released weights"
    UNSTATED = "not said"


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a number was obtained; None where it is not said."""

    task: str
    dataset: str
    class_name: str
    metric: str  # without its split: "iou", "pixel_accuracy", "loss", "hours"
    split: str  # "train", "val", "test"; "" for a cost
    selected_on: str | None = None  # split that chose the weights or settings behind the number
    classes_per_model: int | None = None
    image_size: int | None = None  # side of the square network input, pixels
    batch_size: int | None = None  # images per optimizer step
    learning_rate: float | None = None
    optimizer: str | None = None
    loss: str | None = None
    threshold: float | None = None  # probability from which a pixel counts as found
    epochs: int | None = None
    train_images: int | None = None
    scored_images: int | None = None  # images that the number was computed on
    # Of videos alone; the columns may be left out of a CSV.
    frames: int | None = None  # of a clip
    views: int | None = None  # clips of a video that are scored; of an image, its crops
    crops: int | None = None  # squares of a clip that are scored
    split_policy: str | None = None  # as `data.split.policy`: given, grouped, random, stratified
    weight_decay: float | None = None
    schedule: str | None = None  # of the learning rate: constant, step, plateau, cosine
    pretraining: str | None = None  # data of the weights it starts from: imagenet, coco, none


@dataclass(frozen=True, slots=True)
class Place:
    """Where the source prints a number in its table."""

    title: str  # of the table: "Table 8: image size"
    headers: tuple[str, ...]  # over the columns that name a row: "Class", "Image size"
    row: tuple[str, ...]  # what names its row, as `headers`
    columns: tuple[str, ...]  # over the number; several where its text fills several cells
    texts: tuple[str, ...]  # what is printed below each of `columns`


@dataclass(frozen=True, slots=True)
class Baseline:
    """One cited number."""

    name: str  # what a study lists: "thesis/table-7", "unet-2015"
    row: str  # the row of the source's table
    system: str
    printed_class: str  # as the source writes it; may differ from the protocol's class
    value: float  # in the metric's unit; shares are fractions, costs are hours
    printed: str  # the value with as many digits as the source gives, in our unit
    protocol: Protocol
    source: str
    notes: tuple[str, ...]  # contradictions of the source that touch this number
    as_printed: str = ""  # in the source's own unit: "73.2 %", "P100 1040; T4 1150"
    label: str = ""  # what the number really is, where the source calls it something else
    verified: Verification = Verification.UNSTATED
    parameters_m: float | None = None  # trainable parameters of the system, millions
    gmacs: float | None = None  # multiply-accumulates of one forward pass, 10^9
    runs: int | None = None  # trainings that the number is the mean of
    place: Place | None = None  # None: the source's layout is not kept
