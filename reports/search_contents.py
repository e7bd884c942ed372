"""What a page shows of the search itself: its history, its settings together and one by one."""

from dataclasses import dataclass

from reports.figures.embedding import EmbeddedFigure, Panel, embed
from reports.figures.parallel import (
    parallel,
    parallel_figure,
    parallel_summary,
    parallel_table,
    parallel_width,
)
from reports.figures.search_history import history_figure, history_summary
from reports.figures.search_points import Search, searches
from reports.figures.slices import slice_figure, slice_summary, slices
from reports.notation import sentence_case
from trackers.records import StudyRecord

LEAST = 2  # configurations: one is no search


@dataclass(frozen=True, slots=True)
class SearchContents:
    """The section of the search; () of what there is too little for."""

    history: tuple[Panel, ...]  # one, or one per class that has its own network
    parallel: tuple[Panel, ...]
    slices: tuple[Panel, ...]
    is_tree: bool  # decided stage by stage, so that a path may miss something
    holding: tuple[str, ...]  # stages that hold settings which others do not


def search_contents(study: StudyRecord) -> SearchContents:
    """Compute the history, the parallel coordinates and the slices of a study."""
    found = [each for each in searches(study) if len(each.tried) >= LEAST]
    return SearchContents(
        history=tuple(_history(number, each) for number, each in enumerate(found, start=1)),
        parallel=tuple(
            Panel(each.group, (figure,))
            for number, each in enumerate(found, start=1)
            if (figure := _parallel(number, each))
        ),
        slices=tuple(
            Panel(each.group, figures)
            for number, each in enumerate(found, start=1)
            if (figures := _slices(number, each))
        ),
        is_tree=len(study.stages) > 1,
        holding=_holding(study),
    )


def _history(number: int, search: Search) -> Panel:
    figure = embed(
        history_figure(search),
        f"search-{number}-history",
        title=sentence_case(f"search history{_of(search)}"),
        summary=history_summary(search),
    )
    return Panel(search.group, (figure,))


def _parallel(number: int, search: Search) -> EmbeddedFigure | None:
    drawn = parallel(search)
    if drawn is None:
        return None
    return embed(
        parallel_figure(drawn),
        f"search-{number}-parallel",
        title=sentence_case(f"settings of every configuration{_of(search)}"),
        summary=parallel_summary(drawn),
        min_width=parallel_width(drawn),
        table=parallel_table(drawn),
    )


def _slices(number: int, search: Search) -> tuple[EmbeddedFigure, ...]:
    return tuple(
        embed(
            slice_figure(each),
            f"search-{number}-slice-{index}",
            title=sentence_case(f"{each.setting}{_of(search)}"),
            summary=slice_summary(each),
        )
        for index, each in enumerate(slices(search), start=1)
    )


def _holding(study: StudyRecord) -> tuple[str, ...]:
    """Name the stages whose values are of other settings than those of stages beside them."""
    trained = [stage for stage in study.stages if not stage.after_training]
    if len({repr(sorted(stage.held.items())) for stage in trained}) < 2:
        return ()
    return tuple(stage.name for stage in trained if stage.held)


def _of(search: Search) -> str:
    return f", {search.group}" if search.group else ""
