"""Frozen facts about a study; the only thing reports read.

A *study* has *stages*; a stage compares *configurations*; a configuration is measured by
*cells* (one per seed, and per class where one model is trained per class); a cell needs one or
more *trials* (attempts); a trial reports *epochs*. A *decision* says why a configuration won.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from trackers.memory_records import MemoryRecord
from trackers.price_records import PriceRecord

JsonValue: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None


class Outcome(StrEnum):
    """How a trial, and with its last trial a cell, ended."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    INFEASIBLE = "infeasible"  # out of memory at micro-batch 1, or diverged
    FAILED = "failed"  # bad data or code
    LOST = "lost"  # killed, crashed, node gone
    STOPPED = "stopped"  # budget or Ctrl-C


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One finished epoch: its metrics and what it had cost by then."""

    epoch: int  # 1-based
    metrics: Mapping[str, float]  # "train/loss", "val/iou", "learning_rate", …
    wall_s: float  # seconds of training and validation so far, over all attempts
    images_seen: int  # training images so far
    finished_at: float  # unix seconds


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One attempt at a cell."""

    cell: str
    attempt: int  # 1-based
    outcome: Outcome | None  # None while it runs
    reason: str  # one sentence; empty when complete
    device: str  # "cpu", "cuda:0 NVIDIA H200"
    host: str
    started_at: float  # unix seconds
    ended_at: float | None
    resumed_from_epoch: int  # finished epochs taken over from an earlier attempt; 0 = none
    folder: str  # relative to the workspace
    effective: Mapping[str, JsonValue] = field(default_factory=dict)  # read back from live objects
    costs: Mapping[str, JsonValue] = field(default_factory=dict)  # see `trackers.costs`


@dataclass(frozen=True, slots=True)
class CellRecord:
    """One planned point: a fully resolved configuration and one seed.

    `files` holds what its trial kept, and what a stage winner's look at the test split kept. Of
    these roles the reports read, where <split> is val or test:

        predictions_strip        PNG of a few images: image, truth, prediction, error
        predictions_thresholds   PNG of the same images at several thresholds
        curves_<split>           JSON of precision, recall, IoU and F1 by threshold
        confusion_<split>        JSON of a confusion matrix, or of a 2 x 2 table per class

    and of networks that recognise actions (`models/tasks/action_files.py`)

        class_scores_<split>     JSON of videos, recall and precision of each class

    and of networks that classify images (`models/tasks/classification_files.py`)

        class_scores_<split>     JSON of images, recall, precision and F1 of each class
        calibration_<split>      JSON of images, confidence and accuracy by bins of confidence

    and of detectors of boxes (`models/tasks/detection_files.py`, `detection_speed.py`)

        detection_curves_<split>     JSON of precision against recall per class, at IoU 0.5
        detection_confusion_<split>  JSON of a matrix of objects, the background last
        detection_errors_<split>     JSON of errors by kind, and what AP50 each costs
        detection_decisions_<split>  JSON of precision, recall and F1 at the trial's threshold
        probe_detections             JSON of a few pictures with true and found boxes
        detection_speed              JSON of seconds per image, one at a time
    """

    id: str
    settings: Mapping[str, JsonValue]  # dotted path -> value, every setting
    seed: int
    group: str  # the class of a one-model-per-class study, else ""
    outcome: Outcome | None  # None: planned, not (yet) run
    reason: str
    metrics: Mapping[str, float]  # final values; empty unless complete
    best_epoch: int | None  # the epoch whose weights were scored
    epochs: tuple[EpochRecord, ...]  # each epoch once, over all attempts
    trials: tuple[TrialRecord, ...]
    train_macs: float  # multiply-accumulates spent in training; the deterministic cost
    source: str | None = None  # after-training cells: the cell whose predictions were scored
    files: Mapping[str, str] = field(default_factory=dict)  # role -> absolute path
    is_running: bool = False
    tracking_url: str | None = None  # the cell's run in the MLflow UI
    warnings: tuple[str, ...] = ()  # what its trials warned of, each once
    # Class -> its name in metrics, in label order: "traffic light" -> "traffic_light".
    class_slugs: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Wall seconds of training and validation over all attempts."""
        return self.epochs[-1].wall_s if self.epochs else 0.0


@dataclass(frozen=True, slots=True)
class ConfigurationRecord:
    """One candidate of a stage: the inherited winner with some settings changed."""

    id: str
    parent: str | None  # configuration it inherited from; None in the first stage
    varied: Mapping[str, JsonValue]  # dotted path -> value, only what this stage varies
    group: str  # with `per`: the group that decides for itself, e.g. "car"; else ""
    cells: tuple[str, ...]  # cell ids, in order of (class, seed)
    brief: Mapping[str, JsonValue] = field(default_factory=dict)  # see `shown`

    @property
    def shown(self) -> Mapping[str, JsonValue]:
        """Return what tells it from its siblings: of a model its name, and what differs."""
        return self.brief or self.varied


@dataclass(frozen=True, slots=True)
class CandidateRecord:
    """What a decision knew about one configuration."""

    configuration: str
    values: Mapping[str, float]  # replicate ("seed 0" or "car, seed 0") -> objective value
    missing: tuple[str, ...]  # replicates without a complete cell
    mean: float
    low: float | None  # confidence interval of the mean; None with fewer than 2 values
    high: float | None
    difference: float | None  # paired mean, to `DecisionRecord.reference`; None for that itself
    difference_low: float | None  # of an interval that holds for all pairs of the stage at once
    difference_high: float | None
    train_macs: float  # mean over cells
    seconds: float  # mean over cells
    is_tied: bool  # not distinguishable from the reference


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """Why a stage's winner won."""

    stage: str
    group: str
    metric: str
    direction: str  # "maximize" or "minimize"
    winners: tuple[str, ...]  # configuration ids, best first; more than one with a beam
    candidates: tuple[CandidateRecord, ...]  # in the order of the stage, none of them repeated
    rule: str  # one sentence: how the winner was chosen
    confidence: float  # in (0, 1)
    flips: tuple[str, ...]  # sentences: what would have changed the winner
    interval: str = "seeds"  # what the intervals of differences generalise to, or "images"
    # Of a difference as large as the largest, if no configuration tried so far differed from
    # another; None: too few replicates, or the intervals are over images.
    chance: float | None = None
    reference: str = ""  # configuration that differences are to; "": of an older release, the best


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One branching point of the tree, in the order it ran, or what is measured after the tree.

    A confirmation trains the finalists of a stage with seeds that chose nothing; its cells of
    earlier seeds are there to be compared with. A probe tries the neighbours of what a stage chose
    with the final settings, which are its first configuration. Both hold the others against that.
    """

    name: str
    after_training: bool
    vary: Mapping[str, JsonValue]  # dotted path -> list of values, or a range
    held: Mapping[str, JsonValue]  # `with`
    only: Mapping[str, JsonValue]  # `only`
    configurations: tuple[ConfigurationRecord, ...]  # () while the stage above is undecided
    decisions: tuple[DecisionRecord, ...]  # one, or one per group; () while undecided
    planned_cells: int  # what the plan expects, known before the configurations are
    together: bool = False  # lists of `vary` are gone through side by side
    kind: str = "stage"  # or "confirmation", "probe"
    about: str = ""  # the decided stage that a confirmation or probe looks back on


@dataclass(frozen=True, slots=True)
class ImportanceRecord:
    """How much each varied setting of a search matters, by one evaluator."""

    search: str  # as the Optuna study is named: the stage, its class and branch
    evaluator: str  # "PED-ANOVA" or "fANOVA"
    shares: Mapping[str, float]  # dotted path -> in [0, 1], of sum 1; {}: none could be told
    configurations: int  # with a value, that it is computed from
    left_out: int  # configurations without one: pruned, infeasible, failed


@dataclass(frozen=True, slots=True)
class TestScoreRecord:
    """The test split's one look at a stage winner."""

    __test__ = False  # not a pytest class

    stage: str
    configuration: str
    cell: str
    metrics: Mapping[str, float]  # "test/iou", …


@dataclass(frozen=True, slots=True)
class WayRecord:
    """What one way to find all classes of a picture scored; metrics are named "test/iou_car"."""

    threshold: float | None  # chosen; None: each class's network has its own
    metrics: Mapping[str, float]  # at that threshold
    by_threshold: tuple[tuple[float, Mapping[str, float]], ...]  # () with thresholds of their own


@dataclass(frozen=True, slots=True)
class AssemblyRecord:
    """The networks of single classes put together, of one seed, and what stands beside them.

    All ways are scored on the same images, those that no network was trained or chosen with:

        own        each class's network alone, at its own threshold
        assembly   the same networks, the most probable class of each pixel
        single     one network for all classes, trained with as much compute
    """

    seed: int
    id: str  # "" while its members are not known
    members: Mapping[str, str]  # class -> the cell with its settings, in the order of the classes
    class_metrics: Mapping[str, str]  # class -> its own metric's name, e.g. "iou_traffic_light"
    single: str | None  # the single network's cell; None: not asked for, or without a result
    wants_single: bool
    outcome: Outcome | None  # None: planned, not (yet) run
    reason: str
    images: Mapping[str, int]  # split -> images scored
    left_out: Mapping[str, int]  # split -> images that a network was trained or chosen with
    ways: Mapping[str, WayRecord]  # {} unless complete
    trial: TrialRecord | None  # the process that scored it
    files: Mapping[str, str] = field(default_factory=dict)  # role -> absolute path


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """Everything a report may say about a study."""

    name: str
    task: str
    description: str
    metric: str  # the objective's, e.g. "val/iou"
    direction: str  # "maximize" or "minimize"
    select_on: str  # "validation" or "test"
    settings: Mapping[str, JsonValue]  # the resolved study, nested as in the YAML
    base: Mapping[str, JsonValue]  # dotted path -> value: the base settings of a cell
    stages: tuple[StageRecord, ...]
    cells: Mapping[str, CellRecord]
    test_scores: tuple[TestScoreRecord, ...]
    test_looks: int  # how often the test split was scored
    baselines: tuple[str, ...]  # e.g. "thesis/table-7"
    environment: Mapping[str, str]  # versions, machine, git commit, data fingerprint
    created_at: float  # unix seconds
    is_finished: bool
    note: str = ""  # why it is not finished
    assemblies: tuple[AssemblyRecord, ...] = ()  # one per seed, where the study asks for them
    afterwards: tuple[StageRecord, ...] = ()  # confirmation and probes, where it asks for them
    importance: tuple[ImportanceRecord, ...] = ()  # of searches with enough configurations
    cited_files: Mapping[str, str] = field(
        default_factory=dict
    )  # of `baselines`: file -> its text
    memory: tuple[MemoryRecord, ...] = ()  # of training steps, where it was asked for
    prices: tuple[PriceRecord, ...] = ()  # the table that money is counted by, for a report
