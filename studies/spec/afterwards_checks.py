"""What is asked for after the tree must have something to look back on, and decide by."""

from collections.abc import Iterator

from models.catalog import TASKS
from studies.spec.draft import Draft
from studies.spec.problems import Finding
from studies.spec.search_schema import Search, StageSpec

FRESH_SEEDS, BESIDE = "fresh seeds", "beside "


def afterwards_findings(draft: Draft) -> Iterator[Finding]:
    """Check `search.confirm`, `search.probe` and `search.select.interval`."""
    search: Search | None = draft.values.get("search")
    if search is None or None in draft.stages:
        return
    stages = [stage for stage in draft.stages if stage is not None]
    yield from _confirm_findings(search, stages)
    yield from _probe_findings(search, stages)
    yield from _name_findings(search, stages)
    yield from _interval_findings(search, draft)


def _confirm_findings(search: Search, stages: list[StageSpec]) -> Iterator[Finding]:
    is_trained = search.base or search.joint or any(not each.after_training for each in stages)
    if search.confirm is not None and not is_trained:
        message = (
            "'confirm' trains the finalists of a stage, and every stage of this study is "
            "after_training; remove it"
        )
        yield Finding(("search", "confirm"), message, on_key=True)


def _probe_findings(search: Search, stages: list[StageSpec]) -> Iterator[Finding]:
    if not search.probe:
        return
    if search.joint is not None:
        message = "'probe' looks beside the path of a tree, and a joint search has none; remove it"
        yield Finding(("search", "probe"), message, on_key=True)
    elif len(stages) < 2:
        message = (
            "'probe' looks beside what stages before the last chose, and there is only "
            f"{len(stages)} stage; remove it"
        )
        yield Finding(("search", "probe"), message, on_key=True)


def _name_findings(search: Search, stages: list[StageSpec]) -> Iterator[Finding]:
    """A stage must not be called as what follows the tree is."""
    taken = {FRESH_SEEDS: "confirm"} if search.confirm else {}
    if search.probe:
        taken |= {f"{BESIDE}{stage.stage}": "probe" for stage in stages}
    for index, stage in enumerate(stages):
        if stage.stage in taken:
            message = f"'{stage.stage}' is what `{taken[stage.stage]}` calls its own; rename it"
            yield Finding(("search", "tree", index, "stage"), message)


def _interval_findings(search: Search, draft: Draft) -> Iterator[Finding]:
    """Over images, the metric must be one that can be told of resampled images."""
    if search.select.interval != "images" or draft.task is None or draft.objective is None:
        return
    known = TASKS[draft.task].resampled
    metric = draft.objective.metric.partition("/")[2]
    if metric not in known:
        able = f"it knows {', '.join(known)}" if known else f"no metric of {draft.task} is known"
        message = f"intervals over images cannot be told of {metric} ({able}); choose seeds"
        yield Finding(("search", "select", "interval"), message)
