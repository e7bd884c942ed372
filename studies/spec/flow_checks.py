"""Files of weights that stages estimate optical flow with must be there; the base's is data's."""

from collections.abc import Iterator

from data_pipeline.video.flow_weights import FLOW_WEIGHTS, flow_weights_problems
from studies.spec.branches import spots
from studies.spec.draft import Draft
from studies.spec.problems import Finding, Loc
from studies.spec.schema import CellSettings
from studies.spec.search_schema import Vary
from studies.spec.settings import with_changes
from studies.spec.settings_trial import options_of


def flow_findings(draft: Draft) -> Iterator[Finding]:
    """Check every value of a stage, or of a joint search, that names such a file."""
    if draft.base is None or flow_weights_problems(draft.base.data):
        return
    for index, stage in enumerate(draft.stages):
        if stage is not None:
            loc: Loc = ("search", "tree", index)
            held: Vary = {path: [value] for path, value in stage.with_.items()}
            yield from _missing(draft.base, stage.vary, (*loc, "vary"))
            yield from _missing(draft.base, held, (*loc, "with"), are_lists=False)
    if draft.joint is not None:
        yield from _missing(draft.base, draft.space, ("search", "joint", "space"))


def _missing(
    base: CellSettings, vary: Vary, loc: Loc, *, are_lists: bool = True
) -> Iterator[Finding]:
    for spot in spots(vary, loc):
        if not FLOW_WEIGHTS.startswith(spot.path):
            continue
        for option in options_of(spot.loc, spot.values):
            try:
                data = with_changes(base, {spot.path: option.value}).data
            except ValueError:  # said where the settings are tried
                continue
            for message in flow_weights_problems(data):
                yield Finding(option.loc if are_lists else spot.loc, message)
