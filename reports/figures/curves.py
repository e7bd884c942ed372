"""How did training go? A metric of every configuration of a stage, epoch by epoch.

`stage_curves` computes; `curves_figure` draws: the mean over seeds as far as all of them ran, and
a band from the lowest to the highest seed. Of many configurations the best have such lines, and
all of them are drawn as a crowd behind. A mark says where a line begins to overfit: of a few lines
on each, for the one that lost may be the one that does; of more on the winner's alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.figures.crowd import MANY, Crowd, crowd, end_to_end
from reports.figures.curve_lines import CurveLine, band_outline, line_of, mean_line
from reports.figures.decimation import decimated, packed
from reports.figures.overfitting import TRAINING, VALIDATION, Overfitting, overfitting
from reports.lineage import Placed, places
from reports.measurements import cells_of, classes_of, mean, rank, value_of
from reports.notation import (
    configuration_label,
    join_words,
    metric_name,
    plural,
    score,
    sentence_case,
)
from trackers.records import CellRecord, StageRecord, StudyRecord

LOSSES = (VALIDATION, TRAINING)
# What is drawn beside the objective, where a task has more than one way to be right.
RIGHT = ("val/top1", "val/top5", "train/top1")
BESIDE = {"action_recognition": RIGHT, "image_classification": RIGHT}
MOST_MARKED = 6  # lines of which each may have a mark; of more, the winner's alone
POINTS = 600  # most of a line: there are no more pixels
TIME_UNITS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


@dataclass(frozen=True, slots=True)
class CurveSeries:
    """One configuration."""

    label: str
    style: int  # see `theme.series_style`
    lines: tuple[CurveLine, ...]  # one per cell that reported the metric
    mean: CurveLine
    is_winner: bool = False
    turn: Overfitting | None = None  # where it is marked


@dataclass(frozen=True, slots=True)
class StageCurves:
    """One metric of one stage; where each class has its own model, of one class."""

    stage: str
    group: str
    metric: str
    series: tuple[CurveSeries, ...]
    turned: tuple[CurveSeries, ...] = ()  # those that overfit and are marked, the winner first
    crowd: Crowd | None = None  # all configurations, where `series` are only the best

    @property
    def crowd_label(self) -> str:
        """What the crowd is called in a legend."""
        return f"all {self.crowd.count:,} (median, deciles)" if self.crowd else ""


def stage_curves(study: StudyRecord, index: int) -> tuple[StageCurves, ...]:
    """Collect the objective, what is beside it and the losses of a stage, per class."""
    stage = study.stages[index]
    placed = [p for p in places(study).values() if p.place[0] == index]
    if stage.after_training or not placed:
        return ()
    cells = [cell for p in placed for cell in cells_of(study, p.configuration)]
    objective = _objective_on_epochs(study.metric, cells)
    metrics = (objective, *BESIDE.get(study.task, ()), *LOSSES)
    found = [
        _curves(study, stage, placed, group=group, metric=metric)
        for group in classes_of(cells) or ("",)
        for metric in dict.fromkeys(metrics)
    ]
    return tuple(curves for curves in found if curves.series)


def _objective_on_epochs(metric: str, cells: Sequence[CellRecord]) -> str:
    """The objective, or its validation twin where epochs never see the objective's split."""
    seen = {name for cell in cells for epoch in cell.epochs[:1] for name in epoch.metrics}
    return metric if metric in seen else f"val/{metric.split('/', 1)[-1]}"


def _curves(
    study: StudyRecord, stage: StageRecord, placed: Sequence[Placed], *, group: str, metric: str
) -> StageCurves:
    members = [
        (p, [c for c in cells_of(study, p.configuration) if group in ("", c.group)])
        for p in placed
    ]
    members = [(p, cells) for p, cells in members if cells]
    styles = _styles([mean(value_of(c, study.metric) for c in cs) for _, cs in members], study)
    series, trained = [], []
    for (p, cells), style in zip(members, styles, strict=True):
        lines = tuple(line for cell in cells if (line := line_of(cell, metric)).epochs)
        if lines:
            label = configuration_label(p.configuration.shown)
            series.append(CurveSeries(label, style, lines, mean_line(lines), p.rank == 0))
            trained.append(cells)
    series = _marked(series, trained)
    turned = tuple(sorted((s for s in series if s.turn), key=lambda s: not s.is_winner))
    best = [each for each in series if each.style < len(theme.SERIES)]
    others = [each.mean for each in series if each.style >= len(theme.SERIES)]
    if len(series) <= MANY or not others:
        return StageCurves(stage.name, group, metric, tuple(series), turned)
    behind = crowd([each.mean for each in best], others)
    return StageCurves(stage.name, group, metric, tuple(best), turned, behind)


def _marked(
    series: Sequence[CurveSeries], trained: Sequence[Sequence[CellRecord]]
) -> list[CurveSeries]:
    """Return series with where they turn, as far as that is marked; `trained` has their cells."""
    marks_all = len(series) <= MOST_MARKED
    return [
        replace(each, turn=_overfitting(cells)) if marks_all or each.is_winner else each
        for each, cells in zip(series, trained, strict=True)
    ]


def _overfitting(cells: Sequence[CellRecord]) -> Overfitting | None:
    training, validation = (
        [line for cell in cells if (line := line_of(cell, metric)).epochs]
        for metric in (TRAINING, VALIDATION)
    )
    if not training or not validation:
        return None
    return overfitting(mean_line(training), mean_line(validation))


def _styles(scores: Sequence[float | None], study: StudyRecord) -> list[int]:
    """Every configuration its own style; when there are too many, the best keep theirs."""
    if len(scores) <= len(theme.SERIES):
        return list(range(len(scores)))
    order = rank(scores, study.direction)
    return [order.index(i) for i in range(len(scores))]


def curves_figure(curves: StageCurves) -> go.Figure:
    """Draw mean lines over bands of the seeds; the page switches the horizontal axis."""
    traces, drawn = _crowd_traces(curves)
    # The best styles come last, so that they lie on top.
    for series in sorted(curves.series, key=lambda s: -s.style):
        for trace, line in _traces(series, curves.metric):
            traces.append(trace)
            drawn.append(line)
    unit_s, unit = time_unit(curves)
    wall = [packed([round(s / unit_s, 4) for s in line.wall_s]) for line in drawn]
    axes = {
        "epochs": {"title": "epoch", "x": [packed(line.epochs) for line in drawn]},
        "images seen": {
            "title": "training images seen",
            "x": [packed(line.images) for line in drawn],
        },
        "wall time": {"title": f"training time, {unit}", "x": wall},
    }
    return go.Figure(
        data=traces,
        layout=theme.layout(
            270,
            xaxis=theme.axis("epoch", rangemode="tozero"),
            yaxis=theme.value_axis(v for line in drawn for v in line.values),
            meta={"axes": axes},
            margin={"l": 44, "r": 10, "t": 8, "b": 42},
        ),
    )


def _crowd_traces(curves: StageCurves) -> tuple[list[dict[str, Any]], list[CurveLine]]:
    """Draw every configuration faintly, and over them their deciles and median."""
    if curves.crowd is None:
        return [], []
    all_of_them = CurveSeries(curves.crowd_label, len(theme.SERIES), (), curves.crowd.median)
    faint, median = end_to_end(curves.crowd.lines), decimated(curves.crowd.median, POINTS)
    thin = {"color": theme.MUTED, "width": 0.5}
    traces = [
        _trace(all_of_them, "others", faint, thin, 0.25) | {"hoverinfo": "skip"},
        _band(all_of_them, curves.crowd.band, theme.MUTED),
        _trace(all_of_them, "median of all", median, {"color": theme.INK, "width": 1.5}, 1.0),
    ]
    return traces, [faint, curves.crowd.band, median]


def _traces(series: CurveSeries, metric: str) -> list[tuple[dict[str, Any], CurveLine]]:
    style = theme.series_style(series.style)
    mean_of_seeds = decimated(series.mean, POINTS)
    band = band_outline(series.lines)
    pairs = [(_band(series, band, style["color"]), band)] if band else []
    bold = {"color": style["color"], "width": 2.2, "dash": style["dash"]}
    trace = _trace(series, series.label, mean_of_seeds, bold, 1.0)
    trace["hovertemplate"] = (
        "%{fullData.name}<br>" + metric_name(metric) + " %{y:.4g}<extra></extra>"
    )
    pairs.append((trace, mean_of_seeds))
    dot = {"color": style["color"], "symbol": style["marker"], "size": 6}
    scored = [point for line in series.lines if (point := line.at(line.scored_epoch))]
    pairs += [(_point(series, "scored epoch", point, dot), point) for point in scored]
    if series.turn and (place := series.mean.at(series.turn.epoch)):
        pairs.append((_turn(series, series.turn, place), place))
    return pairs


def _turn(series: CurveSeries, turn: Overfitting, place: CurveLine) -> dict[str, Any]:
    """Ring the epoch in the line's colour; grey ones are many, and theirs has to stand out."""
    is_grey = series.style >= len(theme.SERIES)
    colour = theme.INK if is_grey else theme.series_style(series.style)["color"]
    ring = {"color": colour, "symbol": "diamond-open", "size": 12, "line": {"width": 2}}
    trace = _point(series, "overfits from here", place, ring)
    said = f"%{{customdata}}<br>overfits after epoch {turn.epoch}<extra></extra>"
    own = {"customdata": [series.label], "hoverinfo": "all", "hovertemplate": said}
    return trace | own


def _band(series: CurveSeries, outline: CurveLine, colour: str) -> dict[str, Any]:
    """Fill the span of the seeds; where one ran alone, its edge is a line."""
    trace = _trace(series, "seeds", outline, {"color": colour, "width": 2}, 0.2)
    return trace | {"fill": "toself", "fillcolor": colour, "hoverinfo": "skip"}


def _point(
    series: CurveSeries, name: str, point: CurveLine, marker: dict[str, Any]
) -> dict[str, Any]:
    trace = _trace(series, name, point, {}, 0.9)
    return trace | {"mode": "markers", "marker": marker, "hoverinfo": "skip"}


def _trace(
    series: CurveSeries, name: str, line: CurveLine, style: dict[str, Any], opacity: float
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "legendgroup": series.label,
        "x": packed(line.epochs),
        "y": packed([None if v is None else float(f"{v:.6g}") for v in line.values]),
        "line": style,
        "opacity": opacity,
    }


def time_unit(curves: StageCurves) -> tuple[float, str]:
    """The unit of the wall-time axis: its seconds and its name."""
    lines = [line for series in curves.series for line in series.lines]
    behind = curves.crowd.lines if curves.crowd else ()
    longest = max((s for line in (*lines, *behind) for s in line.wall_s), default=0)
    return next((unit for unit in TIME_UNITS if longest >= 2 * unit[0]), TIME_UNITS[-1])


def curves_summary(curves: StageCurves) -> str:
    """Say in a sentence what the curves show."""
    lines = sum(len(series.lines) for series in curves.series)
    last = [_last(series.mean) for series in curves.series]
    known = [value for value in last if value is not None]
    if not known:
        return f"{plural(lines, 'cell')}, without a finite value."
    if len(known) == 1:
        text = f"{plural(lines, 'cell')}. Last mean: {score(known[0])}."
    else:
        span = f"from {score(min(known))} to {score(max(known))}"
        text = f"{plural(lines, 'cell')}. Last means {span}."
    if curves.crowd:
        text = (
            f"{plural(curves.crowd.count, 'configuration')}, the last median "
            f"{score(_last(curves.crowd.median))}. The best {len(curves.series)}: {text}"
        )
    turned = curves.turned if curves.metric == VALIDATION else ()
    return f"{text} {_turns(turned)}" if turned else text


def _turns(turned: Sequence[CurveSeries]) -> str:
    """Say which lines overfit, the first of them in full."""
    said = [(each, each.turn) for each in turned if each.turn]
    (first, turn), *others = said
    text = turn.sentence("The winner" if first.is_winner else sentence_case(first.label))
    if others:
        verb = "does" if len(others) == 1 else "do"
        text += f" So {verb} {join_words(f'{s.label} {turn.brief}' for s, turn in others)}."
    return text


def _last(line: CurveLine) -> float | None:
    return next((value for value in reversed(line.values) if value is not None), None)
