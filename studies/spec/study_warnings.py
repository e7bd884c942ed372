"""What a study that is in order may still not have meant; looks at no disk, torch-free."""

from data_pipeline.video.looping import loops_by_settings
from studies.spec.schema import StudySpec
from studies.spec.split_policies import warnings_of_splits
from studies.spec.tried_data import tried_data


def study_warnings(spec: StudySpec) -> list[str]:
    """Return a sentence for each way in which splits or clips may mislead."""
    loops = (loops_by_settings(data) for data in tried_data(spec))
    return [*warnings_of_splits(spec), *dict.fromkeys(filter(None, loops))]
