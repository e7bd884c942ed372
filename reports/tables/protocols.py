"""How our own numbers were obtained: a cell's protocol and measurements, to compare by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reports.baselines.citations import Protocol
from reports.baselines.comparability import FROM_NOTHING
from reports.leaky_splits import CUTS_GROUPS, FOLDS, POLICY
from reports.measurements import finite, scored_epoch, trained_cell
from trackers.records import CellRecord, EpochRecord, JsonValue, Outcome, StudyRecord

SECONDS_PER_HOUR = 3600.0
# What the epochs of a training took, whatever it scored.
COSTS: Mapping[str, Callable[[EpochRecord], float]] = MappingProxyType(
    {
        "hours": lambda last: last.wall_s / SECONDS_PER_HOUR,
        "epochs": lambda last: float(last.epoch),
        "seconds_per_epoch": lambda last: last.wall_s / last.epoch,
    }
)
OWN_WEIGHTS = "a run before"  # of weights that another study or file holds
KINETICS = "kinetics"  # whichever of its editions
ALL_CLASSES = "all"  # what a cited mean over every class of its dataset has for a class
# Of two classes, whichever of them a study names.
OF_A_PARTITION = frozenset({"rand_error", "pixel_error", "warping_error"})


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of one cell, with its protocol."""

    value: float
    protocol: Protocol


def classes_known(cell: CellRecord) -> tuple[str, ...]:
    """The classes that a cell has numbers for."""
    classes = cell.settings.get("data.classes")
    named = tuple(str(name) for name in classes) if isinstance(classes, list | tuple) else ()
    return named or ((cell.group,) if cell.group else ())


def measure(
    study: StudyRecord, cell: CellRecord, class_name: str, *, metric: str, split: str
) -> Measured | None:
    """Find a cell's value of a cited metric; validation stands in for a missing test score."""
    ours = _answering_class(cell, class_name, metric)
    if cell.outcome is not Outcome.COMPLETE or ours is None:
        return None
    found = _find(study, cell, class_name, metric=metric, split=split)
    if found is None:
        return None
    value, scored_split = found
    return Measured(value, _protocol(study, cell, ours, metric=metric, split=scored_split))


def _answering_class(cell: CellRecord, class_name: str, metric: str) -> str | None:
    """Name the class of ours that answers a cited one; None where none does."""
    known = classes_known(cell)
    several = named_classes(class_name)
    if class_name != ALL_CLASSES and not several:
        return class_name if class_name in known else None
    if cell.group:
        return None  # a network of one class says nothing of all
    if several and set(several) == set(known):
        return class_name  # in whatever order
    return ", ".join(known) if known and metric not in OF_A_PARTITION else ALL_CLASSES


def named_classes(class_name: str) -> tuple[str, ...]:
    """Return the classes whose mean is cited, "Person, Traffic light"; () where it is of one."""
    parts = tuple(class_name.split(", "))
    return parts if len(parts) > 1 else ()


def _find(
    study: StudyRecord, cell: CellRecord, class_name: str, *, metric: str, split: str
) -> tuple[float, str] | None:
    trained = trained_cell(study, cell)
    if metric in COSTS:
        return (COSTS[metric](trained.epochs[-1]), split) if trained.epochs else None
    is_all = class_name == ALL_CLASSES or bool(named_classes(class_name))
    is_whole = is_all or len(classes_known(cell)) == 1
    if split in ("train", "val"):
        epoch = scored_epoch(trained)
        value = finite(epoch.metrics.get(f"{split}/{metric}")) if epoch else None
        return (value, split) if value is not None and is_whole else None
    slug = cell.class_slugs.get(class_name)
    if not is_whole and slug is None:
        return None
    name = metric if is_whole else f"{metric}_{slug}"
    for where, values in _scores(study, cell):
        value = finite(values.get(f"{where}/{name}"))
        if value is not None:
            return (value, where)
    return None


def _scores(study: StudyRecord, cell: CellRecord) -> list[tuple[str, Mapping[str, float]]]:
    looks = [record.metrics for record in study.test_scores if record.cell == cell.id]
    return [("test", cell.metrics), *(("test", m) for m in looks), ("val", cell.metrics)]


def dataset_of(settings: Mapping[str, JsonValue]) -> str:
    """Return what sources call a cell's dataset, "" where it names none: CIFAR has two."""
    name = str(settings.get("data.dataset") or "")
    return f"cifar{settings.get('data.variant', 10)}" if name == "cifar" else name


def _protocol(
    study: StudyRecord, cell: CellRecord, class_name: str, *, metric: str, split: str
) -> Protocol:
    settings = cell.settings
    thresholded = metric == "iou"
    accumulate = _whole(settings, "training.accumulate") or 1
    batch = _whole(settings, "training.batch_size")
    return Protocol(
        task=study.task,
        dataset=dataset_of(settings),
        class_name=class_name,
        metric=metric,
        split=split,
        selected_on="test" if study.select_on == "test" else "val",
        classes_per_model=len(classes_known(cell)) or None,
        image_size=_whole(settings, "data.image_size"),
        batch_size=batch * accumulate if batch else None,
        learning_rate=_number(settings, "training.learning_rate"),
        optimizer=_text(settings, "training.optimizer"),
        loss=_text(settings, "training.loss"),
        threshold=_number(settings, "evaluation.threshold") if thresholded else None,
        epochs=_epochs(study, cell),
        train_images=_train_images(study, cell),
        scored_images=_whole(settings, f"data.limit.{split}") if split else None,
        frames=_whole(settings, "data.clip.frames"),
        views=_of_scored(settings, "data.clip.views", split),
        crops=_of_scored(settings, "data.clip.crops", split),
        split_policy=_split_policy(settings, split),
        weight_decay=_number(settings, "training.weight_decay"),
        schedule=_text(settings, "training.schedule.name"),
        pretraining=_pretraining(settings),
    )


def _pretraining(settings: Mapping[str, JsonValue]) -> str | None:
    """Name the data of the weights that a network starts from.

    What a run of one's own was trained on its cell does not say; a network without the setting
    starts from random weights.
    """
    if settings.get("training.transfer.init_from"):
        return OWN_WEIGHTS
    weights = _text(settings, "model.pretrained")
    if weights is None:
        return FROM_NOTHING if "model.name" in settings else None
    return KINETICS if weights.startswith(KINETICS) else weights


def _split_policy(settings: Mapping[str, JsonValue], split: str) -> str | None:
    """Name how recordings were split; folds keep them whole in validation, whatever the policy."""
    policy = _text(settings, POLICY)
    is_whole = settings.get(FOLDS) is not None and split != "test"
    return "grouped" if policy in CUTS_GROUPS and is_whole else policy


def _of_scored(settings: Mapping[str, JsonValue], path: str, split: str) -> int | None:
    """Return how many there are of a scored video; a training video is seen once an epoch."""
    return None if split == "train" else _whole(settings, path)


def _epochs(study: StudyRecord, cell: CellRecord) -> int | None:
    """Epochs that really ran, which a time limit may have cut."""
    epochs = trained_cell(study, cell).epochs
    return epochs[-1].epoch if epochs else _whole(cell.settings, "training.epochs")


def _train_images(study: StudyRecord, cell: CellRecord) -> int | None:
    """Images per epoch that were really seen; a limit in the settings is only a ceiling."""
    epochs = trained_cell(study, cell).epochs
    if epochs:
        return round(epochs[-1].images_seen / epochs[-1].epoch)
    return _whole(cell.settings, "data.limit.train")


def _whole(settings: Mapping[str, JsonValue], path: str) -> int | None:
    value = settings.get(path)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(settings: Mapping[str, JsonValue], path: str) -> float | None:
    value = settings.get(path)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and isinstance(value, int | float) else None


def _text(settings: Mapping[str, JsonValue], path: str) -> str | None:
    value = settings.get(path)
    return value if isinstance(value, str) else None
