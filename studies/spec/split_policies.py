"""Every way of splitting that a study tries, and what each will do to its scores; torch-free."""

from collections.abc import Iterator, Mapping
from typing import Any

from data_pipeline.splitting.split_warnings import split_warnings
from studies.spec.schema import StageSpec, StudySpec

POLICY, SPLIT = "data.split.policy", "data.split"


def warnings_of_splits(spec: StudySpec) -> list[str]:
    """Return a sentence for each split, of the base settings or a stage's, that flatters."""
    found = []
    for policy in dict.fromkeys(_policies(spec)):
        split = spec.data.split.model_copy(update={"policy": policy})
        found += split_warnings(spec.data.model_copy(update={"split": split}))
    return found


def _policies(spec: StudySpec) -> Iterator[str]:
    yield spec.data.split.policy
    for stage in spec.search.tree:
        yield from _tried(stage.vary)
        yield from _tried(_as_lists(stage))
    if spec.search.joint is not None:
        yield from _tried(spec.search.joint.space)


def _as_lists(stage: StageSpec) -> dict[str, list[Any]]:
    return {path: [value] for path, value in stage.with_.items()}


def _tried(lists: Mapping[str, Any]) -> Iterator[str]:
    """Yield the policies among lists of values; a range holds none."""
    yield from (str(value) for value in lists.get(POLICY, ()))
    for part in lists.get(SPLIT, ()):
        if isinstance(part, Mapping) and "policy" in part:
            yield str(part["policy"])
