"""What a study that is in order may still not have meant; looks at no disk, torch-free."""

from collections.abc import Iterator

from data_pipeline.video.looping import loops_by_settings
from studies.spec.loss_checks import warnings_of_losses
from studies.spec.schema import StudySpec
from studies.spec.split_policies import warnings_of_splits
from studies.spec.tried_data import tried_data

ENOUGH_FOR_HYPERBAND = 40


def study_warnings(spec: StudySpec) -> list[str]:
    """Return a sentence for each way in which splits, clips, losses or pruners may mislead."""
    loops = (loops_by_settings(data) for data in tried_data(spec))
    found = [*warnings_of_splits(spec), *dict.fromkeys(filter(None, loops))]
    return [*found, *warnings_of_losses(spec), *_warnings_of_pruners(spec)]


def _warnings_of_pruners(spec: StudySpec) -> Iterator[str]:
    searches = [(each.pruner, each.trials) for each in spec.search.tree]
    if spec.search.joint is not None:
        searches.append((spec.search.joint.pruner, spec.search.joint.trials))
    for pruner, trials in searches:
        is_hyperband = pruner is not None and pruner.name == "hyperband"
        if is_hyperband and trials is not None and trials < ENOUGH_FOR_HYPERBAND:
            yield (
                "hyperband compares a configuration with those of its own bracket alone, and "
                f"{trials} trials leave few in each; with fewer than {ENOUGH_FOR_HYPERBAND} "
                "median or successive_halving prunes earlier"
            )
