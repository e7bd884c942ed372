"""`visionstudy predict`: apply what a study found to pictures and videos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli.chosen_run import choose, chosen_device
from studies.cli.options import DEFAULT_WORKSPACE, AsJson, Tracking, Workspace
from studies.cli.predicting_videos import (
    Actions,
    ActionStride,
    Appearance,
    Distances,
    Every,
    Track,
    VideoOptions,
    predict_named_videos,
)
from studies.cli.reading import fail

if TYPE_CHECKING:
    import torch

    from studies.predicting.choosing import ChosenRun
    from studies.predicting.predicting import Predicted
    from studies.predicting.wishes import Wishes

SKIPPED = 1  # exit status: a picture could not be read
EXAMPLES = """Examples:

\b
  visionstudy predict quickstart photos/ -o predicted
  visionstudy predict quickstart/3f2a9c one.jpg two.png -o predicted --threshold 0.3
  visionstudy predict small-camvid-unet 'frames/**/*.png' -o predicted --probabilities
  visionstudy score masks truth/ predicted/labels --classes predicted/predictions.json
  visionstudy predict my-detector street.mp4 -o predicted --track sort --actions my-actions
  visionstudy predict my-detector street.mp4 -o predicted --distances calibration.yaml
"""


def predict(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A study's name (its winner), STUDY/CELL (ids as `status --json` prints them; "
            "the first digits will do), or the id of a cell's run in MLflow.",
            show_default=False,
        ),
    ],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Pictures, folders of pictures, or quoted patterns such as 'photos/*.jpg'; or "
            "videos, or patterns of them.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="DIR", help="Folder to write to."),
    ],
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            min=0.001,
            max=0.999,
            help="Probability from which a pixel counts; the run's own when not given. Boxes have "
            "none: --least-score.",
        ),
    ] = None,
    least_score: Annotated[
        float | None,
        typer.Option(
            "--least-score",
            min=0,
            max=1,
            help="Least score of an object that is drawn; when not given, the run's threshold of "
            "boxes, and 0.5 of objects with masks.",
        ),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class", metavar="NAME", help="Show this class only. May be repeated; default: all."
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, cuda or cuda:N; auto: a GPU if there is one.")
    ] = "auto",
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            min=1,
            help="Pictures at a time; as the run was scored when not given.",
        ),
    ] = None,
    overlay: Annotated[
        bool, typer.Option("--overlay/--no-overlay", help="Draw the classes over each picture.")
    ] = True,
    probabilities: Annotated[
        bool,
        typer.Option("--probabilities", help="Write a grey 16-bit PNG per class as well."),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Do again what is done, and write over what is of others."
        ),
    ] = False,
    actions: Actions = None,
    every: Every = None,
    track: Track = None,
    appearance: Appearance = None,
    action_stride: ActionStride = None,
    distances: Distances = None,
    tracking_uri: Tracking = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Apply a study's winner to pictures, or to videos.

    RUN's networks are given pictures as in training: same size, same normalising. With one model
    per class, the winners of all classes are put together: each pixel gets the most probable of
    the classes that reach their threshold.

    DIR gets, in each picture's own size: labels/NAME.png (pixel values are label indices),
    overlays/NAME.jpg, with --probabilities probabilities/CLASS/NAME.png (65535 is 1), and
    predictions.json: run, weights, settings, classes with colours, each class's share of the
    pixels, versions. A pixel that no network saw is 255. Of detectors there are objects/NAME.json,
    coco_results.json (COCO results; category_id is the label index) and objects.csv instead of
    labels; of classifiers classes/NAME.json (the probability of each class) and classes.csv. What
    is done is not done again.

    Of a video, DIR/NAME gets video.mp4 with everything drawn over it (no sound), objects.csv,
    tracks.txt (MOT format, of tracked objects), actions.csv, distances.csv and prediction.json.
    Ctrl-C finishes the files where they are.

    Exit status: 0 all predicted; 1 a picture or video could not be read; 2 nothing can be
    predicted; 130 stopped by Ctrl-C.

    --json prints, of videos, {"folder", "studies", "device", "videos": [{"source", "frames",
    "was_done", "was_stopped", "note", "seconds", "found"}]}; of pictures {"folder", "study",
    "cells", "classes", "pictures", "predicted" (now), "skipped": [{"source", "reason"}],
    "seconds", "device", "notes"}.
    """
    # Lazy: they load torch and rich, which `visionstudy --help` must not wait for.
    from studies.cli.predicting_output import end_lines, predicted_json, run_lines
    from studies.predicting.wishes import Wishes

    wishes = Wishes(
        threshold=threshold,
        least_score=least_score,
        classes=tuple(classes or ()),
        overlay=overlay,
        probabilities=probabilities,
        batch_size=batch_size,
        overwrite=overwrite,
    )
    chosen, used = choose(run, workspace, tracking_uri), chosen_device(device)
    options = VideoOptions(every, track, appearance, action_stride, distances)
    beside = None if actions is None else choose(actions, workspace, tracking_uri)
    if predict_named_videos(
        (chosen, beside), images, output, wishes=(wishes, options), device=used, as_json=as_json
    ):
        return
    if not as_json:
        for line in run_lines(chosen):
            typer.echo(line)
    predicted = _predict(chosen, images, output, wishes=wishes, device=used, quiet=as_json)
    if as_json:
        typer.echo(predicted_json(predicted, chosen, device=str(used)))
    else:
        for line in end_lines(predicted):
            typer.echo(line)
    if predicted.record.skipped:
        raise typer.Exit(SKIPPED)


def _predict(
    run: "ChosenRun",
    images: list[str],
    folder: Path,
    *,
    wishes: "Wishes",
    device: "torch.device",
    quiet: bool,
) -> "Predicted":
    # Lazy: they load torch and rich, which `visionstudy --help` must not wait for.
    from rich.console import Console

    from models.predicting import UnusableWeightsError
    from models.session import OutOfMemory
    from studies.cli.predicting_output import shown_progress
    from studies.predicting.earlier_record import OtherPredictionsError
    from studies.predicting.outputs import UnwritableOutputError
    from studies.predicting.pictures import NoPictureError
    from studies.predicting.predicting import UnusableWishError
    from studies.predicting.predicting import predict as predict_pictures

    try:
        with shown_progress(Console(stderr=True), quiet=quiet) as progress:
            return predict_pictures(
                run, images, folder, wishes=wishes, device=device, progress=progress
            )
    except OutOfMemory as error:
        raise fail(f"{error}; give a smaller --batch-size, or --device cpu") from error
    except (
        NoPictureError,
        OtherPredictionsError,
        UnusableWeightsError,
        UnusableWishError,
        UnwritableOutputError,
    ) as error:
        raise fail(str(error)) from error
