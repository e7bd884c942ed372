"""Settings that mean nothing to the study's task, and that a study therefore must not give."""

from collections.abc import Iterator

from models.catalog import TASKS
from models.settings import EvaluationSettings, FrozenSettings, TrainingSettings

DEFAULTS: dict[str, FrozenSettings] = {
    "training": TrainingSettings(),
    "evaluation": EvaluationSettings(),
}


def idle_settings(
    task: str, training: TrainingSettings, evaluation: EvaluationSettings
) -> Iterator[tuple[str, str]]:
    """Yield the dotted path of each setting that is given without effect, and what to do."""
    given: dict[str, FrozenSettings] = {"training": training, "evaluation": evaluation}
    for path in TASKS[task].idle_settings:
        section, name = path.split(".")
        if getattr(given[section], name) != getattr(DEFAULTS[section], name):
            why = "its networks have losses of their own" if section == "training" else ""
            yield path, f"{name} has no effect on task {task}{why and ', for '}{why}; remove it"
