"""What the schema cannot say of a study: its parts must fit each other, the data and the task."""

from collections.abc import Iterator, Sequence
from itertools import islice

from data_pipeline.catalog import DATASETS, check_data, class_names
from data_pipeline.errors import DataError
from data_pipeline.settings import DataSettings
from data_pipeline.video.flow_weights import FLOW_WEIGHTS
from models.catalog import MODELS, TASKS
from models.metrics.names import ASKED_FOR, LOWER_IS_BETTER, TOP, TOP5_METRICS
from models.pretrained_settings import pretrained_fault
from models.settings import TrainingSettings
from studies.spec.assembly_checks import assembly_findings
from studies.spec.balance_checks import balance_faults
from studies.spec.clip_checks import clip_fault
from studies.spec.draft import Draft
from studies.spec.idle_settings import idle_settings
from studies.spec.model_checks import (
    idle_training_findings,
    objective_fault,
    recording_findings,
)
from studies.spec.problems import Finding, closest, did_you_mean
from studies.spec.settings import with_changes
from studies.spec.shape_checks import shape_fault


def study_findings(draft: Draft, *, on_disk: bool) -> Iterator[Finding]:
    """Check everything but the search.

    Args:
        draft: The study as far as it could be read.
        on_disk: Whether to look at the data on disk.
    """
    yield from _task_findings(draft)
    yield from _idle_findings(draft)
    yield from idle_training_findings(draft)
    yield from recording_findings(draft)
    yield from _size_findings(draft)
    yield from _shape_findings(draft)
    yield from _balance_findings(draft)
    yield from _clip_findings(draft)
    yield from _pretrained_findings(draft)
    yield from _objective_findings(draft)
    classes = known_classes(draft, on_disk=on_disk)
    yield from _single_class_findings(draft, classes)
    yield from _few_classes_findings(draft, classes)
    yield from assembly_findings(draft, classes)
    if on_disk:
        yield from _data_findings(draft)


def known_classes(draft: Draft, *, on_disk: bool) -> tuple[str, ...] | None:
    """Return the classes the study trains on; None where that cannot be told."""
    if draft.data is None or not draft.is_certain("data", "classes"):
        return None
    if draft.data.classes:
        return tuple(draft.data.classes)
    return _classes_on_disk(draft.data) if on_disk else None


def _task_findings(draft: Draft) -> Iterator[Finding]:
    """Model and dataset must serve the task."""
    entries = (
        (("model", "name"), draft.model and MODELS[draft.model.name], "model", "models"),
        (("data", "dataset"), draft.data and DATASETS[draft.data.dataset], "dataset", "data"),
    )
    for loc, entry, kind, command in entries:
        if entry and draft.task and draft.task not in entry.tasks:
            tasks = ", ".join(sorted(entry.tasks))
            yield Finding(
                loc,
                f"this {kind} is for {tasks}, and the study's task is {draft.task}; "
                f"choose another (visionstudy {command} list) or change the task",
            )


def _idle_findings(draft: Draft) -> Iterator[Finding]:
    """Settings of other tasks have no effect."""
    if draft.task is None or draft.base is None:
        return
    for path, message in idle_settings(draft.task, draft.base.training, draft.base.evaluation):
        yield Finding(tuple(path.split(".")), message, on_key=True)


def _single_class_findings(draft: Draft, classes: Sequence[str] | None) -> Iterator[Finding]:
    """Where a sample shows one of the classes, there must be another one to choose from."""
    if draft.task is None or draft.data is None or TASKS[draft.task].has_single_classes:
        return
    if draft.data.one_model_per_class:
        message = (
            f"on task {draft.task} a sample shows one of the classes, so that a network of a "
            "single class has nothing to choose from; remove it"
        )
        yield Finding(("data", "one_model_per_class"), message, on_key=True)
    if classes is not None and len(classes) == 1:
        message = (
            f"task {draft.task} needs at least two classes, got {classes[0]} alone; name more"
        )
        yield Finding(("data", "classes"), message)


def _size_findings(draft: Draft) -> Iterator[Finding]:
    """The model must take the base image size."""
    if draft.model is None or draft.data is None:
        return
    message = MODELS[draft.model.name].size_rule(draft.model, draft.data.image_size)
    if message:
        yield Finding(("data", "image_size"), message)


def _shape_findings(draft: Draft) -> Iterator[Finding]:
    """The model must take the shape of pictures."""
    if draft.model is None or draft.data is None:
        return
    message = shape_fault(draft.model, draft.data.resize)
    if message:
        yield Finding(("data", "resize"), message)


def _balance_findings(draft: Draft) -> Iterator[Finding]:
    """Classes can be balanced where a sample has one, and are balanced once."""
    if draft.task is None or draft.data is None:
        return
    training = draft.training or TrainingSettings()
    for path, message in islice(balance_faults(draft.task, draft.data.balance, training), 1):
        yield Finding(tuple(path.split(".")), message)


def _few_classes_findings(draft: Draft, classes: Sequence[str] | None) -> Iterator[Finding]:
    """Of five classes or fewer, every one is among the first five."""
    if draft.objective is None or classes is None or len(classes) > TOP:
        return
    if draft.objective.metric.partition("/")[2] in TOP5_METRICS:
        message = (
            f"{draft.objective.metric} needs more than {TOP} classes, got {len(classes)}, which "
            "are all among the first five; choose by top1"
        )
        yield Finding(("objective", "metric"), message)


def _clip_findings(draft: Draft) -> Iterator[Finding]:
    """The model must take the clips."""
    if draft.model is None or draft.data is None:
        return
    message = clip_fault(draft.model, draft.data)
    if message:
        yield Finding(("data", "clip"), message)


def _pretrained_findings(draft: Draft) -> Iterator[Finding]:
    """Pretrained weights expect the pixels that they were made with."""
    if draft.model is None or draft.data is None:
        return
    is_normalized = draft.data.normalize is not None
    message = pretrained_fault(draft.model, is_normalized=is_normalized)
    if message:
        yield Finding(("model", "pretrained"), message)


def _objective_findings(draft: Draft) -> Iterator[Finding]:
    """The metric must be one that the task computes, in the direction it is read."""
    if draft.task is None or draft.objective is None:
        return
    known = TASKS[draft.task].metrics
    split, metric = draft.objective.metric.split("/", 1)
    if metric not in known:
        hint = did_you_mean(metric, known)
        yield Finding(
            ("objective", "metric"),
            f"unknown metric '{metric}' of task {draft.task}{hint} (known: {', '.join(known)})",
        )
    elif metric in LOWER_IS_BETTER and draft.objective.direction == "maximize":
        yield Finding(
            ("objective", "metric"),
            f"a lower {split}/{metric} is better; add `direction: minimize` to the objective",
        )
    elif draft.model and (message := objective_fault(draft.model, draft.objective.metric)):
        yield Finding(("objective", "metric"), message)
    asked = ASKED_FOR.get(metric)
    if asked and draft.evaluation and asked not in draft.evaluation.also:
        also = ", ".join((*draft.evaluation.also, asked))
        yield Finding(
            ("objective", "metric"),
            f"{split}/{metric} is costly and computed only where it is asked for; "
            f"add `also: [{also}]` to evaluation",
        )


def _data_findings(draft: Draft) -> Iterator[Finding]:
    """The data must be on disk and know the classes."""
    if draft.data is None or draft.base is None or not draft.is_certain("data", "root"):
        return
    on_disk = _classes_on_disk(draft.data) or ()
    unknown = [name for name in draft.data.classes if on_disk and name not in on_disk]
    for index, name in enumerate(draft.data.classes):
        if name in unknown:
            hint = did_you_mean(name, on_disk)
            hint = hint or f"; there are {', '.join(on_disk[:12])}" + ", …" * (len(on_disk) > 12)
            message = f"unknown class '{name}' of dataset '{draft.data.dataset}'{hint}"
            yield Finding(("data", "classes", index), message)
        elif draft.data.classes.index(name) < index:
            message = f"class '{name}' is there twice; remove one"
            yield Finding(("data", "classes", index), message)
    # With the unknown classes corrected, the dataset speaks of everything else.
    meant = [closest(c, on_disk) or on_disk[0] if c in unknown else c for c in draft.data.classes]
    settings = with_changes(draft.base, {"data.classes": list(dict.fromkeys(meant))}).data
    key = "root" if "root" in type(draft.data).model_fields else "dataset"
    for message in check_data(settings):
        is_of_flow = message.startswith(FLOW_WEIGHTS)
        place = FLOW_WEIGHTS.removeprefix("data.") if is_of_flow else key
        loc = ("data", *place.split("."))
        yield Finding(loc, message.removeprefix(f"data.{place} "))


def _classes_on_disk(settings: DataSettings) -> tuple[str, ...] | None:
    try:
        return class_names(settings)
    except (DataError, OSError):  # `check_data` says what is missing
        return None
