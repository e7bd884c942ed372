"""What is wanted of a video, and which wishes do not go together."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from data_pipeline.errors import unknown_name
from models.tracking.settings import AppearanceSettings, SortSettings, TrackerSettings
from studies.predicting.choosing import ChosenRun
from studies.predicting.ground_plane import Calibration
from studies.predicting.predicting import UnusableWishError
from studies.predicting.wishes import Wishes

ACTIONS = "action_recognition"
OBJECTS = ("object_detection", "instance_segmentation")
EVERY = 16  # frames, as in the thesis: boxes are held in between
NO_BOXES = "on a study of actions, which finds no boxes"


@dataclass(frozen=True, slots=True)
class Cast:
    """The runs that look at a video; at least one."""

    objects: ChosenRun | None = None
    actions: ChosenRun | None = None

    @property
    def runs(self) -> tuple[ChosenRun, ...]:
        """Return them."""
        return tuple(run for run in (self.objects, self.actions) if run is not None)


@dataclass(frozen=True, slots=True)
class VideoWishes:
    """What is written, and how."""

    plain: Wishes = field(default_factory=Wishes)  # those that pictures have too
    every: int | None = None  # frames from one detection to the next
    tracker: TrackerSettings | None = None
    appearance: AppearanceSettings | None = None  # for a tracker that compares it
    action_stride: int | None = None  # frames; None: half a window
    calibration: Calibration | None = None

    @property
    def used_tracker(self) -> TrackerSettings | None:
        """Return the tracker: distances need one, for an event has two people."""
        if self.tracker is None and self.calibration is not None:
            return SortSettings()
        return self.tracker

    @property
    def used_every(self) -> int:
        """Return from how many to how many frames objects are found: trackers need them all."""
        return self.every or (EVERY if self.used_tracker is None else 1)


def cast_of(run: ChosenRun, actions: ChosenRun | None) -> Cast:
    """Say who does what.

    Args:
        run: A detector, or a network of actions.
        actions: A network of actions beside a detector.

    Raises:
        UnusableWishError: One cannot do what it is asked for.
    """
    if run.task not in (ACTIONS, *OBJECTS):
        known = ", ".join((ACTIONS, *OBJECTS))
        raise UnusableWishError(
            f"task '{run.task}' of study '{run.study}' cannot be predicted on videos, only "
            f"{known} can; predict pictures of the video"
        )
    if actions is None:
        return Cast(actions=run) if run.task == ACTIONS else Cast(objects=run)
    if run.task == ACTIONS:
        raise UnusableWishError(
            f"--actions has no effect beside study '{run.study}', which is one of actions itself; "
            "leave it out, or name a detector as RUN"
        )
    if actions.task != ACTIONS:
        raise UnusableWishError(
            f"--actions must name a run of task '{ACTIONS}', got study '{actions.study}' of task "
            f"'{actions.task}'"
        )
    return Cast(run, actions)


def check_video_wishes(cast: Cast, wishes: VideoWishes) -> None:
    """Refuse what the runs cannot do, or what would have no effect.

    Raises:
        UnusableWishError: Says what, and what to do.
    """
    for name, why in _without_effect(cast, wishes):
        raise UnusableWishError(f"{name} has no effect {why}; leave it out")
    if cast.objects is None:
        return
    names = cast.objects.class_names
    for name in wishes.plain.classes:
        if name not in names:
            raise UnusableWishError(
                unknown_name(f"class of run '{cast.objects.study}'", name, names)
            )
    if wishes.calibration is not None and not people_labels(cast.objects, wishes):
        wanted = ", ".join(wishes.calibration.people)
        shown = ", ".join(wishes.plain.classes or names)
        raise UnusableWishError(
            f"distances need a class of people ({wanted}) among those shown, got {shown}; name "
            "it by `people` in the calibration, or another run"
        )


def shown_labels(run: ChosenRun, wishes: VideoWishes) -> frozenset[int]:
    """Return the labels of the classes that are shown."""
    names = wishes.plain.classes or run.class_names
    return frozenset(label for label, name in enumerate(run.class_names) if name in names)


def people_labels(run: ChosenRun, wishes: VideoWishes) -> frozenset[int]:
    """Return the labels that are people, of those that are shown."""
    people = wishes.calibration.people if wishes.calibration else []
    shown = shown_labels(run, wishes)
    return frozenset(label for label in shown if run.class_names[label] in people)


def _without_effect(cast: Cast, wishes: VideoWishes) -> Iterator[tuple[str, str]]:
    """Yield which wishes change nothing, and why."""
    plain = wishes.plain
    for name, is_wished in (
        ("--threshold", plain.threshold is not None),
        ("--probabilities", plain.probabilities),
        ("--batch-size", plain.batch_size is not None),
        ("--no-overlay", not plain.overlay),
    ):
        if is_wished:
            yield name, "on videos, which are drawn over frame by frame"
    for name, is_wished in (
        ("--every", wishes.every is not None),
        ("--track", wishes.tracker is not None),
        ("--distances", wishes.calibration is not None),
        ("--least-score", plain.least_score is not None),
        ("--class", bool(plain.classes)),
    ):
        if is_wished and cast.objects is None:
            yield name, NO_BOXES
    if wishes.action_stride is not None and cast.actions is None:
        yield "--action-stride", "without a study of actions (--actions)"
    if wishes.appearance is not None and (
        wishes.tracker is None or wishes.tracker.name != "deepsort"
    ):
        yield "--appearance", "without --track deepsort, which alone compares it"
