"""What the splits that a study tries will do to its scores and winners; torch-free."""

from collections.abc import Iterator

from data_pipeline.splitting.split_warnings import split_warnings
from studies.spec.schema import StudySpec
from studies.spec.search_schema import StageSpec
from studies.spec.tried_data import tried_data

SPLITS = ("data.split", "data.split_list")  # what decides which samples validate


def warnings_of_splits(spec: StudySpec) -> list[str]:
    """Return a sentence for each split that flatters, and for each stage that hands one down."""
    flattering = [warning for data in tried_data(spec) for warning in split_warnings(data)]
    return [*dict.fromkeys(flattering), *_handed_down(spec)]


def _handed_down(spec: StudySpec) -> Iterator[str]:
    """Warn of stages whose winner, maybe but the easiest validation set, is inherited."""
    trained = [stage for stage in spec.search.tree if not stage.after_training]
    for number, stage in enumerate(trained):
        paths = [path for path in stage.vary if _decides_split(path)]
        heirs = [each.stage for each in trained[number + 1 :] if not _holds(each, paths)]
        if paths and heirs:
            varied = ", ".join(paths)
            yield (
                f"stage '{stage.stage}' varies {varied}: each of its configurations is validated "
                "on other samples, so that it may choose the easiest of them and no better "
                f"network, and stage '{heirs[0]}' below it inherits that choice; make it the last "
                f"stage that trains, or hold {varied} by `with` in the stages below"
            )


def _decides_split(path: str) -> bool:
    return any(path == split or path.startswith(f"{split}.") for split in SPLITS)


def _holds(stage: StageSpec, paths: list[str]) -> bool:
    """Whether a stage replaces what it would inherit, by itself or as part of a whole."""
    own = (*stage.with_, *stage.vary)
    return all(any(path == key or path.startswith(f"{key}.") for key in own) for path in paths)
