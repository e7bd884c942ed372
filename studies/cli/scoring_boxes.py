"""`visionstudy score detections`: score the boxes that any tool found."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from studies.cli.options import AsJson
from studies.cli.reading import fail

if TYPE_CHECKING:
    from studies.scoring.boxes.scoring import BoxScores, Question

Name = TypeVar("Name", bound=str)
NOT_WHOLE = 1  # exit status: something has no counterpart, and is not in the scores
EXAMPLES = """Examples:

\b
  visionstudy score detections instances_val2017.json results.json
  visionstudy score detections VOCdevkit/VOC2007 results/ --only VOCdevkit/VOC2007/ImageSets/\\
Main/test.txt --rule voc07
  visionstudy score detections dataset/labels/val runs/detect/labels --classes data.yaml
  visionstudy score detections validation-annotations-bbox.csv predicted/ --rule open_images
  visionstudy score detections truth/ found/ --rule thesis --iou 0.3 --json
  visionstudy score detections instances_val2017.json predicted/ --threshold 0.5 --errors
"""


def detections(
    truth: Annotated[
        Path,
        typer.Argument(
            metavar="GT",
            help="True boxes: COCO JSON, Open Images CSV, a folder of VOC XML, of YOLO text or of "
            "lines 'class x1 y1 x2 y2 [difficult]', or predictions_<split>.json.gz of a trial.",
            show_default=False,
        ),
    ],
    found: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS",
            help="Detections: COCO results JSON, what visionstudy predict wrote, a trial's "
            "predictions_<split>.json.gz, a folder of lines 'class score x1 y1 x2 y2', of YOLO "
            "text or of VOC's comp4_det_<set>_<class>.txt.",
            show_default=False,
        ),
    ],
    rule: Annotated[
        str, typer.Option("--rule", help="coco, voc07, voc10, thesis or open_images.")
    ] = "coco",
    iou: Annotated[
        float | None,
        typer.Option(
            "--iou",
            help="IoU from which an object is found, in (0, 1]; 0.5 when not given, and with coco "
            "the mean over 0.5, 0.55 … 0.95.",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="SCORE",
            help="Say precision, recall, F1 and confusion of detections from this score on too.",
            show_default=False,
        ),
    ] = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="Say which kinds of errors cost how much AP50.")
    ] = False,
    class_list: Annotated[
        Path | None,
        typer.Option(
            "--classes",
            metavar="FILE",
            help="Which class number has which name: data.yaml, CSV, JSON or a name per line.",
        ),
    ] = None,
    found_class_list: Annotated[
        Path | None,
        typer.Option(
            "--found-classes",
            metavar="FILE",
            help="The same for numbers of PREDICTIONS that are others than GT's, such as category "
            "ids of COCO results against YOLO's.",
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="DIR",
            help="Folder of the pictures, for formats that do not say their sizes; looked for "
            "beside YOLO's labels and Open Images' CSV when not given.",
        ),
    ] = None,
    only: Annotated[
        Path | None,
        typer.Option(
            "--only",
            metavar="FILE",
            help="Score these pictures alone: a name per line, or at its beginning as in VOC's "
            "ImageSets.",
        ),
    ] = None,
    gt_format: Annotated[
        str | None,
        typer.Option("--gt-format", help="Format of GT, where its content is misunderstood."),
    ] = None,
    found_format: Annotated[
        str | None,
        typer.Option("--found-format", help="Format of PREDICTIONS, as above."),
    ] = None,
    gt_corners: Annotated[
        str | None,
        typer.Option(
            "--gt-corners",
            help="What corners of GT are: edges; pixels (the first and last of the box, from 0); "
            "pixels_from_1; shares of the picture. When not given: pixels_from_1 of VOC's XML, "
            "edges of text.",
        ),
    ] = None,
    found_corners: Annotated[
        str | None,
        typer.Option(
            "--found-corners",
            help="What corners of PREDICTIONS are, as above; when not given pixels_from_1 of "
            "VOC's results, edges of text.",
        ),
    ] = None,
    found_names: Annotated[
        str | None,
        typer.Option(
            "--found-names",
            help="By what PREDICTIONS name pictures: files or ids (of GT). When not given: ids in "
            "COCO results and a trial's predictions, files in all others.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score boxes of any tool against the true ones, by the rule that you name.

    Formats are told by content, and said. Pictures are matched by name or number, all by their
    files or all by their ids; classes by name (--classes names numbers; those of YOLO and of COCO
    are never taken for each other). Every true picture is scored: one without detections has all
    of its objects missed. docs/metrics.md defines the rules and every metric.

    Exit status: 0 all scored; 1 something was left out: a detection in a picture or of a class
    that the truth does not have; or a picture has no file of detections; 2 nothing can be scored.

    --json prints {"rule", "iou", "images", "formats": {"truth", "predictions"}, "metrics": {name:
    value}, "classes": [{"name", "ap", "ap50", "truths", "ignored", "detections"}], "missing":
    [...], "extra": [...], "unknown_classes": [{"name", "detections", "meant"}], "notes": [...]},
    with --threshold "decisions" and "confusion" (rows truth, columns detection), with --errors
    "errors"; what is undefined is null.
    """
    # Lazy: they load OpenCV, pycocotools and rich, which `visionstudy --help` must not wait for.
    from rich.console import Console

    from studies.cli.scoring_boxes_output import box_scores_json, print_box_scores
    from studies.scoring.boxes.found_files import FOUND_FORMATS
    from studies.scoring.boxes.naming import NAMED_BY
    from studies.scoring.boxes.records import CORNERS
    from studies.scoring.boxes.scoring import RULES, Question
    from studies.scoring.boxes.truth_files import TRUTH_FORMATS

    _check_share("--iou", iou, least_is_allowed=False)
    _check_share("--threshold", threshold, least_is_allowed=True)
    scores = _scored(
        Question(
            truth,
            found,
            rule=_choice("--rule", rule, RULES) or "coco",
            iou=iou,
            threshold=threshold,
            with_errors=errors,
            class_list=class_list,
            found_class_list=found_class_list,
            pictures=pictures,
            only=only,
            truth_format=_choice("--gt-format", gt_format, TRUTH_FORMATS),
            found_format=_choice("--found-format", found_format, FOUND_FORMATS),
            truth_corners=_choice("--gt-corners", gt_corners, CORNERS),
            found_corners=_choice("--found-corners", found_corners, CORNERS),
            found_names=_choice("--found-names", found_names, NAMED_BY),
        )
    )
    if as_json:
        typer.echo(box_scores_json(scores))
    else:
        print_box_scores(Console(), scores)
    if not scores.is_whole:
        raise typer.Exit(NOT_WHOLE)


def _scored(question: "Question") -> "BoxScores":
    # Lazy: it loads OpenCV and pycocotools, which `visionstudy --help` must not wait for.
    from studies.scoring.boxes.records import UnusableBoxesError
    from studies.scoring.boxes.scoring import score_boxes

    try:
        return score_boxes(question)
    except UnusableBoxesError as error:
        raise fail(str(error)) from error


def _choice(option: str, value: str | None, known: Sequence[Name]) -> Name | None:
    """Return the value as one of the known ones, or end with what was meant."""
    # Lazy: pydantic would make `visionstudy --help` wait.
    from data_pipeline.errors import unknown_name

    chosen = next((each for each in known if each == value), None)
    if value is not None and chosen is None:
        raise fail(unknown_name(option, value, known))
    return chosen


def _check_share(option: str, value: float | None, *, least_is_allowed: bool) -> None:
    if value is None or 0 < value <= 1 or (value == 0 and least_is_allowed):
        return
    bounds = "from 0 to 1" if least_is_allowed else "above 0 and at most 1"
    raise fail(f"{option} must be {bounds}, got {value:g}; correct it")
