"""`visionstudy score`: score what any tool predicted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli.options import AsJson
from studies.cli.reading import fail
from studies.cli.result_file import check_result_file, write_result_file
from studies.cli.scoring_boxes import EXAMPLES as BOX_EXAMPLES
from studies.cli.scoring_boxes import detections
from studies.cli.scoring_tracks import EXAMPLES as TRACK_EXAMPLES
from studies.cli.scoring_tracks import tracks

if TYPE_CHECKING:
    from studies.scoring.masks import MaskScores, Question

MISSING = 1  # exit status: a label map was not predicted
EXAMPLES = """Examples:

\b
  visionstudy score masks truth/ predicted/ --classes legend.csv
  visionstudy score masks CamVid/testannot other_tool/ --ignore 11 --per-image scores.csv
  visionstudy score masks CamVid/valannot predicted/labels --classes predicted/predictions.json \\
    --ignore 11
  visionstudy score masks isbi/label predicted/ --also rand_error --json
"""

score_app = typer.Typer(
    help="Score predictions of any tool against the truth.", no_args_is_help=True
)


@score_app.callback()
def _score() -> None:
    """Score predictions of any tool against the truth."""


score_app.command(epilog=BOX_EXAMPLES)(detections)
score_app.command(epilog=TRACK_EXAMPLES)(tracks)


@score_app.command(epilog=EXAMPLES)
def masks(
    truth: Annotated[
        Path,
        typer.Argument(metavar="GT_DIR", help="True label maps.", show_default=False),
    ],
    prediction: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTION_DIR", help="Predicted ones, of the same names.", show_default=False
        ),
    ],
    legend: Annotated[
        Path | None,
        typer.Option(
            "--classes",
            metavar="FILE",
            help="CSV (name,r,g,b or index,name) or JSON (names; index, name and color; a "
            "predictions.json) that names values or colours.",
        ),
    ] = None,
    ignored: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="LABEL",
            help="Do not score pixels that are truly of this label: index, or name in the "
            "legend. May be repeated. 255 is ignored anyway, unless a class has it.",
        ),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(
            "--background",
            metavar="LABEL",
            help="Label that is no class: index or name; the one named background when not given.",
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--also",
            metavar="METRIC",
            help="boundary_f1; rand_error (with pixel_error, ISBI 2012; the last class is the "
            "object). May be repeated; takes longer.",
        ),
    ] = None,
    per_image: Annotated[
        Path | None,
        typer.Option(
            "--per-image", metavar="FILE", help="Write a CSV with each picture's scores."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score label maps (PNG, BMP or TIFF) of any tool against the true ones, by file name.

    A label map is grey or has a palette, and its values are label indices; or it is coloured, and
    --classes says which class has which colour. Maps of 0 and 255 alone are background and
    foreground; beside predicted ones of other values, --classes or --ignore must say what 255 is.
    A predicted value that is no class (255, or what the legend does not name) finds nothing.
    Counts are added up over all pictures; docs/metrics.md defines every metric.

    Exit status: 0 all scored; 1 a true label map has no prediction (those are not in the scores);
    2 the label maps cannot be compared.

    --json prints {"images", "metrics": {name: value}, "classes": [{"index", "name", "iou", "dice",
    "recall", "precision", "true_pixels", "predicted_pixels"}], "confusion" (rows truth, columns
    prediction) with "labels", "ignored_pixels", "unknown_pixels", "missing": [...], "extra":
    [...]}; what is undefined is null.
    """
    # Lazy: they load OpenCV, pydantic and rich, which `visionstudy --help` must not wait for.
    from rich.console import Console

    from studies.cli.scoring_output import per_image_csv, print_scores, scores_json

    question = _question(
        truth, prediction, legend=legend, ignored=ignored, background=background, also=also
    )
    if per_image is not None:
        check_result_file("--per-image", per_image)
    scores = _scored(question, quiet=as_json)
    if as_json:
        typer.echo(scores_json(scores))
    else:
        print_scores(Console(), scores)
    if per_image is not None:
        write_result_file("--per-image", per_image, per_image_csv(scores).encode())
        if not as_json:
            typer.echo(f"wrote {per_image}")
    if scores.pairs.missing:
        raise typer.Exit(MISSING)


def _question(
    truth: Path,
    prediction: Path,
    *,
    legend: Path | None,
    ignored: list[str] | None,
    background: str | None,
    also: list[str] | None,
) -> "Question":
    """Put together what is asked, or end with what is wrong with it."""
    # Lazy: pydantic and the metrics would make `visionstudy --help` wait.
    from data_pipeline.errors import unknown_name
    from models.metrics.names import ASKED_FOR
    from studies.scoring.legend import UnusableLegendError, read_legend
    from studies.scoring.masks import Question

    known = tuple(dict.fromkeys(ASKED_FOR.values()))
    for name in also or ():
        if name not in known:
            raise fail(unknown_name("--also", name, known))
    try:
        return Question(
            truth=truth,
            prediction=prediction,
            legend=read_legend(legend) if legend else None,
            ignored=tuple(ignored or ()),
            background=background,
            also=tuple(dict.fromkeys(also or ())),
        )
    except UnusableLegendError as error:
        raise fail(str(error)) from error


def _scored(question: "Question", *, quiet: bool) -> "MaskScores":
    # Lazy: they load OpenCV and rich, which `visionstudy --help` must not wait for.
    from rich.console import Console
    from rich.progress import Progress

    from studies.scoring.label_pairs import UnusableMasksError
    from studies.scoring.masks import score_masks

    console = Console(stderr=True)
    with Progress(
        console=console, transient=True, disable=quiet or not console.is_terminal
    ) as bar:
        step = bar.add_task("label maps", total=None)
        try:
            return score_masks(
                question,
                progress=lambda done, total: bar.update(step, completed=done, total=total),
            )
        except UnusableMasksError as error:
            raise fail(str(error)) from error
