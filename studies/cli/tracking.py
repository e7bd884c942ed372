"""`visionstudy track`: give the boxes of a detector identities."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli.reading import fail
from studies.cli.result_file import check_result_file, write_result_file

if TYPE_CHECKING:
    from studies.tracking.following import Followed, Wish

EXAMPLES = """Examples:

\b
  visionstudy track TUD-Campus/det/det.txt -o tracks.txt
  visionstudy track det.txt -o tracks.txt --set max_age=5 --set least_score=0.5
  visionstudy track MOT16-02/det/det.txt -o MOT16-02.txt --method deepsort \\
    --pictures MOT16-02/img1
  visionstudy score tracks TUD-Campus/gt/gt.txt tracks.txt
"""


def track(
    detections: Annotated[
        Path,
        typer.Argument(
            metavar="DETECTIONS",
            help="Text of MOTChallenge: 'frame,id,x,y,width,height,confidence,…', frames and "
            "pixels from 1; the id of a detection is not read.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="TRACKS", help="File to write, in the same format."
        ),
    ],
    method: Annotated[
        str,
        typer.Option("--method", help="sort: by overlap; deepsort: by motion and appearance."),
    ] = "sort",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Replace a setting of the method, e.g. --set max_age=5. May be repeated.",
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            metavar="PATH",
            help="The video, or a folder of its pictures, a picture per frame in the order of "
            "their names, 9 before 10: what deepsort compares. Without it, it compares motion "
            "alone.",
        ),
    ] = None,
    appearance: Annotated[
        str | None,
        typer.Option(
            "--appearance",
            help="With --pictures. colour: histograms, which need no weights, when not given; "
            "network: the paper's, of --weights.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights", metavar="FILE", help="State dict of the network; random when not given."
        ),
    ] = None,
) -> None:
    """Give detections in a text file identities.

    By SORT or DeepSORT. TRACKS gets a line per track and frame,
    'frame,id,x,y,width,height,confidence,-1,-1,-1': the box as the Kalman filter estimates it,
    with the confidence of its detection. All boxes are taken as of one class. Settings are the
    papers'; an unknown one to --set names all of them.

    Exit status: 0 written; 2 the detections cannot be followed.
    """
    # Lazy: they load pydantic, scipy and OpenCV, which `visionstudy --help` must not wait for.
    from studies.tracking.following import Wish
    from studies.tracking.methods import appearance_settings, tracker_settings
    from studies.tracking.mot_text import UnusableTracksError, write_mot

    check_result_file("--output", output)
    _check_no_input(output, (detections, pictures, weights))
    for option, value in (("--appearance", appearance), ("--weights", weights)):
        if value is not None and pictures is None:
            raise fail(f"{option} has no effect without --pictures; name them or leave it out")
    try:
        wish = Wish(
            detections,
            tracker_settings(method, settings or (), has_pictures=pictures is not None),
            pictures=pictures,
            appearance=appearance_settings(appearance or "colour", weights) if pictures else None,
        )
        followed = _followed(wish)
    except UnusableTracksError as error:
        raise fail(str(error)) from error
    write_result_file("--output", output, write_mot(followed.boxes).encode())
    typer.echo(
        f"wrote {output}: {followed.tracks:,} tracks of {len(followed.boxes):,} boxes, from "
        f"{followed.detections:,} detections in {followed.frames:,} frames"
    )
    for note in _notes(wish, followed):
        typer.echo(note)


def _notes(wish: "Wish", followed: "Followed") -> Iterator[str]:
    """Say what may not be as it was meant."""
    best, least = followed.best_score, wish.tracker.least_score
    if best is not None and least is not None and best < least:
        yield (
            f"no detection was followed: least_score is {least:g}, and the largest confidence in "
            f"{wish.detections} {best:g}; lower it by --set least_score=…"
        )
    if wish.tracker.name == "deepsort" and wish.pictures is None:
        yield "motion alone was compared: --pictures names no pictures to compare"


def _check_no_input(output: Path, inputs: Iterable[Path | None]) -> None:
    """Refuse to write over what is read.

    Raises:
        typer.Exit: It would be.
    """
    if not output.is_file():  # a new file, or a device such as /dev/stdout
        return
    for file in filter(None, inputs):
        with suppress(OSError):  # it is not there: said where it is read
            if output.samefile(file):
                raise fail(
                    f"--output must be another file than {file}, which is read, got {output}; "
                    "name another"
                )


def _followed(wish: "Wish") -> "Followed":
    # Lazy: rich would make `visionstudy --help` wait.
    from rich.console import Console
    from rich.progress import Progress

    from studies.tracking.following import follow

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        step = bar.add_task("frames", total=None)
        return follow(
            wish, progress=lambda done, total: bar.update(step, completed=done, total=total)
        )
