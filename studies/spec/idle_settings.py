"""Settings that mean nothing to the study's task, and that a study therefore must not give."""

from collections.abc import Iterator

from models.catalog import TASKS
from models.frozen_settings import FrozenSettings
from models.loss_settings import idle_with
from models.settings import EvaluationSettings, TrainingSettings

DEFAULTS: dict[str, FrozenSettings] = {
    "training": TrainingSettings(),
    "evaluation": EvaluationSettings(),
}

LOSS = "training.loss"


def idle_settings(
    task: str, training: TrainingSettings, evaluation: EvaluationSettings
) -> Iterator[tuple[str, str]]:
    """Yield the dotted path of each setting that is given without effect, and what to do."""
    given: dict[str, FrozenSettings] = {"training": training, "evaluation": evaluation}
    entry = TASKS[task]
    has_own_losses = LOSS in entry.idle_settings
    for path in entry.idle_settings:
        section, name = path.split(".")
        if getattr(given[section], name) != getattr(DEFAULTS[section], name):
            is_of_loss = section == "training" and has_own_losses
            why = "its networks have losses of their own" if is_of_loss else ""
            yield path, f"{name} has no effect on task {task}{why and ', for '}{why}; remove it"
    if entry.losses is not None and training.loss not in (None, *entry.losses):
        known = ", ".join(f"'{name}'" for name in entry.losses)
        is_single = len(entry.losses) == 1
        one, remedy = (known, "use that") if is_single else (f"one of {known}", "use one of these")
        yield LOSS, f"loss must be {one} on task {task}, got '{training.loss}'; {remedy}"
    if training.loss is None and entry.usual_loss is not None:
        for name, message in idle_with(training, entry.usual_loss):
            if f"training.{name}" not in entry.idle_settings:
                yield f"training.{name}", message
