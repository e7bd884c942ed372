"""`visionstudy score tracks`: score the tracks of any tool."""

from pathlib import Path
from typing import Annotated

import typer

from studies.cli.options import AsJson
from studies.cli.reading import fail

NOT_WHOLE = 1  # exit status: a sequence has no counterpart
EXAMPLES = """Examples:

\b
  visionstudy score tracks TUD-Campus/gt/gt.txt tracks.txt
  visionstudy score tracks MOT16/train results/ --json
"""


def tracks(
    truth: Annotated[
        Path,
        typer.Argument(
            metavar="GT",
            help="True objects in the text of MOTChallenge: a file, or a folder of "
            "SEQUENCE/gt/gt.txt or of SEQUENCE.txt. Boxes of confidence 0 are left out.",
            show_default=False,
        ),
    ],
    found: Annotated[
        Path,
        typer.Argument(
            metavar="TRACKS",
            help="Tracks in the same format: a file, or a folder of SEQUENCE.txt.",
            show_default=False,
        ),
    ],
    iou: Annotated[
        float,
        typer.Option(
            "--iou", help="IoU of an object and a track from which they go together, in (0, 1]."
        ),
    ] = 0.5,
    as_json: AsJson = False,
) -> None:
    """Score tracks of any tool against true objects: MOTA, MOTP, IDF1 and what they are made of.

    MOTA is 1 - (FN + FP + IDs) / true boxes; MOTP the mean IoU of matches; IDF1 pairs whole tracks
    with whole objects; MT and ML are objects found in at least 80 % and in less than 20 % of their
    frames. Counts are added up over all sequences; docs/tracking.md defines every metric. Boxes of
    other classes than the one that is followed are not left out as MOTChallenge's server does.

    Exit status: 0 all scored; 1 a sequence has no tracks (scored as nothing found), or tracks have
    no sequence; 2 nothing can be scored.

    --json prints {"iou", "metrics": {name: value}, "frames", "true_boxes", "boxes", "objects",
    "tracks", "sequences": [{"name" and, of it alone, the same}], "missing": [...], "extra":
    [...]}; what is undefined is null.
    """
    # Lazy: they load scipy and rich, which `visionstudy --help` must not wait for.
    from rich.console import Console

    from studies.cli.scoring_tracks_output import print_track_scores, track_scores_json
    from studies.scoring.tracks import Question, score_tracks
    from studies.tracking.mot_text import UnusableTracksError

    if not 0 < iou <= 1:
        raise fail(f"--iou must be above 0 and at most 1, got {iou:g}; correct it")
    try:
        scores = score_tracks(Question(truth, found, least_iou=iou))
    except UnusableTracksError as error:
        raise fail(str(error)) from error
    if as_json:
        typer.echo(track_scores_json(scores))
    else:
        print_track_scores(Console(), scores)
    if not scores.is_whole:
        raise typer.Exit(NOT_WHOLE)
