"""`visionstudy explain`: show where a classifier looked, and what its layers answer to."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli.chosen_run import choose, chosen_device
from studies.cli.options import DEFAULT_WORKSPACE, AsJson, Tracking, Workspace
from studies.cli.reading import fail

if TYPE_CHECKING:
    import torch

    from studies.looking_inside.explained import Explained
    from studies.looking_inside.wishes import LookWish
    from studies.predicting.choosing import ChosenRun

SKIPPED = 1  # exit status: a picture could not be read
EXAMPLES = """Methods:

\b
  grad_cam               which places of a layer's map speak for the class
  saliency               which pixels, changed a little, move the class's score
  integrated_gradients   size of each pixel's part of the score, from a black picture on
  attention              the weights of a network with soft attention; white is most
  features               what the strongest channels of a layer answer to
  filters                what a convolution's filters look for; of no picture

Examples:

\b
  visionstudy explain ants-bees photos/
  visionstudy explain ants-bees photos/one.jpg --class ant --layer features.layer3
  visionstudy explain ants-bees photos/one.jpg --method saliency -o looked
  visionstudy explain ants-bees/3f2a9c photos/one.jpg --method features
  visionstudy explain ants-bees --method filters
"""


def explain(
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
        list[str] | None,
        typer.Argument(
            metavar="IMAGE...",
            help="Pictures, folders of pictures, or quoted patterns such as 'photos/*.jpg'; none "
            "for filters.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="grad_cam, saliency, integrated_gradients, attention, features or filters.",
        ),
    ] = "grad_cam",
    layer: Annotated[
        str | None,
        typer.Option(
            "--layer",
            metavar="NAME",
            help="For grad_cam, features and filters: dotted name of a layer. When not given, the "
            "last one with the places of a convolution; for filters the first convolution.",
        ),
    ] = None,
    class_name: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="NAME",
            help="The class that is asked about; of each picture its most probable one when not "
            "given.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write to.")
    ] = Path("explained"),
    device: Annotated[
        str, typer.Option(help="cpu, cuda or cuda:N; auto: a GPU if there is one.")
    ] = "auto",
    tracking_uri: Tracking = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Show why a classifier says what it says.

    DIR/METHOD gets NAME.png of each picture: the picture, what the method shows, its scale.

    A map shows what moved this network's score, not what is in the picture: a network that learnt
    the background lights the background. A layer's name is looked up as a transfer study names it;
    an unknown one is answered with those there are.

    Exit status: 0 all shown; 1 a picture could not be read; 2 nothing can be shown.

    --json prints, as DIR/METHOD/explanations.json holds, {"folder", "study", "cell", "method",
    "layer", "pictures": [{"source", "file", "class", "probability", "most_probable", "peak" (the
    scale's end), "peak_at" (shares of width and height), "gap" (of integrated gradients: score
    that the parts miss), "channels" (of features: their numbers)}], "skipped": [{"source",
    "reason"}]}.
    """
    # Lazy: they load torch, which `visionstudy --help` must not wait for.
    from studies.cli.predicting_output import run_lines
    from studies.looking_inside.wishes import LookWish

    chosen, used = choose(run, workspace, tracking_uri), chosen_device(device)
    wish = LookWish(method, layer, class_name)
    explained = _explain(chosen, images or [], output, wish=wish, device=used)
    if as_json:
        typer.echo(json.dumps(explained.content(), indent=2))
    else:
        for line in (*run_lines(chosen), *explained.lines()):
            typer.echo(line)
    if explained.skipped:
        raise typer.Exit(SKIPPED)


def _explain(
    run: "ChosenRun",
    images: list[str],
    folder: Path,
    *,
    wish: "LookWish",
    device: "torch.device",
) -> "Explained":
    # Lazy: as above.
    from models.predicting import UnusableWeightsError
    from models.session import OutOfMemory
    from studies.looking_inside.exploring import explain as look_inside
    from studies.looking_inside.wishes import UnusableLookError
    from studies.predicting.outputs import UnwritableOutputError
    from studies.predicting.pictures import NoPictureError

    try:
        return look_inside(run, images, folder, wish=wish, device=device)
    except OutOfMemory as error:
        raise fail(f"{error}; name --device cpu") from error
    except (
        NoPictureError,
        UnusableLookError,
        UnusableWeightsError,
        UnwritableOutputError,
    ) as error:
        raise fail(str(error)) from error
