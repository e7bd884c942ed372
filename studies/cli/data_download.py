"""`visionstudy data download …`: public datasets, or parts of them, to a folder."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeAlias

import typer

from studies.cli.reading import fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_pipeline.download.progress import Watcher
    from data_pipeline.download.terms import Outcome, Plan, Terms

UNFINISHED = 1  # exit status: something was left over
INTERRUPTED = 130  # exit status: Ctrl-C
# "\b" keeps the lines of a paragraph as they stand.
HELP = """Fetch public datasets, or parts of them.

A download that was stopped, by Ctrl-C or worse, goes on when the same command is run again;
one that is complete does nothing. What a folder holds, its addresses, checksums, licence and
authors stand in its download.json. Pictures of other options stay where they are, and only what
is new is fetched.

Exit status: 0 complete; 1 something was left over; 2 a name that the dataset does not have.
"""
EPILOG = """Examples:

\b
  visionstudy data download open-images data/oi --class Car --class Bus --per-class 500
  visionstudy data download coco data/coco --class person --per-class 1000 --dry-run
  visionstudy data download voc data/voc --year 2007
  visionstudy data download ucf101 data/ucf101
"""
download_app = typer.Typer(help=HELP, epilog=EPILOG, no_args_is_help=True)


class OfficialSplit(StrEnum):
    """Where images of Open Images are taken from."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class CocoSplits(StrEnum):
    """Splits of COCO with annotations."""

    TRAIN = "train"
    VAL = "val"


class ClipArchive(StrEnum):
    """Which archive of UCF101's clips."""

    RAR = "rar"
    ZIP = "zip"


Folder: TypeAlias = Annotated[
    Path, typer.Argument(metavar="DIR", help="Where to; made if it is not there.")
]
Seed: TypeAlias = Annotated[
    int, typer.Option(min=0, help="Which images: the same seed, the same ones.")
]
Mirror: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Another server that has the same paths below this address."),
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Print how many files and bytes, and fetch nothing.")
]
KeepArchives: TypeAlias = Annotated[
    bool, typer.Option("--keep-archives", help="Keep archives after they were unpacked.")
]


@download_app.callback()
def how(
    context: typer.Context,
    connections: Annotated[int, typer.Option(min=1, max=64, help="Files to fetch at a time.")] = 8,
    stall: Annotated[
        float,
        typer.Option(min=0.1, metavar="SECONDS", help="Ask again after so long without a byte."),
    ] = 30.0,
    attempts: Annotated[
        int, typer.Option(min=1, help="Attempts without anything new before a file is given up.")
    ] = 6,
    most_missing: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the files that their server may not have."),
    ] = 0.05,
) -> None:
    """Take the options that come before the dataset: how patient to be."""
    context.obj = {
        "connections": connections,
        "stall": stall,
        "attempts": attempts,
        "most_missing": most_missing,
    }


@download_app.command("open-images")
def open_images(
    context: typer.Context,
    folder: Folder,
    classes: Annotated[
        list[str],
        typer.Option(
            "--class",
            metavar="NAME",
            help='Class as the list of 601 has it, e.g. "Traffic light". May be repeated.',
        ),
    ],
    per_class: Annotated[int, typer.Option(min=1, metavar="N", help="Images per class.")],
    split_share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the images for training; rest: validation."),
    ] = 0.8,
    official_split: Annotated[
        OfficialSplit, typer.Option("--from", help="Official split to take the images from.")
    ] = OfficialSplit.TRAIN,
    seed: Seed = 0,
    mirror: Mirror = None,
    dry_run: DryRun = False,
) -> None:
    """Fetch Open Images by class: N images of each, cut into training and validation.

    The list of training boxes has 2.3 GB and that of images 0.6 GB; they are kept in
    DIR/.download for the next choice of classes (with --from validation both have some 40 MB).
    An image has about 0.3 MB. All boxes of the chosen classes are kept, and no others. A larger
    N adds to the images of a smaller one.

    In a study file: data: {dataset: open_images, root: DIR}
    """
    # Lazy: requests and rich, which `visionstudy --help` must not wait for.
    from data_pipeline.download import open_images as source

    choice = source.OpenImagesChoice(
        classes=tuple(dict.fromkeys(classes)),
        per_class=per_class,
        train_share=split_share,
        official_split=official_split.value,
        seed=seed,
    )
    _run(
        _terms(context, folder, mirror),
        plan=lambda terms: source.plan(choice, terms),
        download=lambda terms, watcher: source.download(choice, terms, watcher),
        dry_run=dry_run,
    )


@download_app.command()
def coco(
    context: typer.Context,
    folder: Folder,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class", metavar="NAME", help="Class of COCO's 80. May be repeated; none: all data."
        ),
    ] = None,
    per_class: Annotated[
        int, typer.Option(min=1, metavar="N", help="Training images per class.")
    ] = 400,
    val_per_class: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Validation images per class; default: a quarter."),
    ] = None,
    splits: Annotated[
        list[CocoSplits] | None,
        typer.Option("--split", help="Official split. May be repeated; default: both."),
    ] = None,
    seed: Seed = 0,
    mirror: Mirror = None,
    keep_archives: KeepArchives = False,
    dry_run: DryRun = False,
) -> None:
    """Fetch COCO 2017 by class, or whole splits.

    The annotations have 0.25 GB and are kept in DIR/.download for the next choice of classes. An
    image has about 0.2 MB. Without --class everything is fetched: 20 GB, and as much again to
    unpack it.

    In a study file: data: {dataset: coco, root: DIR}
    """
    # Lazy: requests and rich, which `visionstudy --help` must not wait for.
    from data_pipeline.download import coco as source

    per_split: dict[source.CocoSplit, int] = {}
    for split in splits or list(CocoSplits):
        is_train = split is CocoSplits.TRAIN
        per_split[split.value] = per_class if is_train else val_per_class or -(-per_class // 4)
    choice = source.CocoChoice(per_split, tuple(dict.fromkeys(classes or ())), seed)
    _run(
        _terms(context, folder, mirror, keep_archives=keep_archives),
        plan=lambda terms: source.plan(choice, terms),
        download=lambda terms, watcher: source.download(choice, terms, watcher),
        dry_run=dry_run,
    )


@download_app.command()
def voc(
    context: typer.Context,
    folder: Folder,
    years: Annotated[
        list[int] | None,
        typer.Option("--year", help="2007 or 2012. May be repeated; default: both."),
    ] = None,
    mirror: Mirror = None,
    keep_archives: KeepArchives = False,
    dry_run: DryRun = False,
) -> None:
    """Fetch PASCAL VOC: 2007 (0.9 GB, with its test split) and 2012 (2.0 GB).

    In a study file: data: {dataset: voc, root: DIR}
    """
    # Lazy: requests and rich, which `visionstudy --help` must not wait for.
    from data_pipeline.download import voc as source

    chosen = tuple(sorted(set(years or source.ARCHIVES)))
    unknown = [year for year in chosen if year not in source.ARCHIVES]
    if unknown:
        raise fail(
            f"--year must be one of {', '.join(map(str, source.ARCHIVES))}, got {unknown[0]}"
        )
    choice = source.VocChoice(chosen)
    _run(
        _terms(context, folder, mirror, keep_archives=keep_archives),
        plan=lambda terms: source.plan(choice, terms),
        download=lambda terms, watcher: source.download(choice, terms, watcher),
        dry_run=dry_run,
    )


@download_app.command()
def ucf101(
    context: typer.Context,
    folder: Folder,
    archive: Annotated[
        ClipArchive,
        typer.Option(
            help="rar: of the authors; needs unrar, unar, 7-Zip or bsdtar. zip: a copy on "
            "Google's storage; needs none."
        ),
    ] = ClipArchive.RAR,
    mirror: Mirror = None,
    keep_archives: KeepArchives = False,
    dry_run: DryRun = False,
) -> None:
    """Fetch UCF101: all 13,320 clips (7 GB, and as much again to unpack them) and its lists.

    In a study file: data: {dataset: ucf101, root: DIR}
    """
    # Lazy: requests and rich, which `visionstudy --help` must not wait for.
    from data_pipeline.download import ucf101 as source

    choice = source.Ucf101Choice(archive.value)
    _run(
        _terms(context, folder, mirror, keep_archives=keep_archives),
        plan=lambda terms: source.plan(choice, terms),
        download=lambda terms, watcher: source.download(choice, terms, watcher),
        dry_run=dry_run,
    )


def _terms(
    context: typer.Context, folder: Path, mirror: str | None, *, keep_archives: bool = False
) -> "Terms":
    # Lazy: requests and rich, which `visionstudy --help` must not wait for.
    from data_pipeline.download.patience import Patience
    from data_pipeline.download.terms import Terms

    return Terms(
        folder=folder,
        mirror=mirror,
        connections=context.obj["connections"],
        most_missing=context.obj["most_missing"],
        keep_archives=keep_archives,
        patience=Patience(stall_s=context.obj["stall"], attempts=context.obj["attempts"]),
    )


def _run(
    terms: "Terms",
    *,
    plan: "Callable[[Terms], Plan]",
    download: "Callable[[Terms, Watcher], Outcome]",
    dry_run: bool,
) -> None:
    """Print what would be fetched, or fetch it and print what came of it."""
    # Lazy: requests and rich, which `visionstudy --help` must not wait for.
    from rich.console import Console

    from data_pipeline.download.progress import open_watcher
    from data_pipeline.download.space import readable_bytes
    from data_pipeline.errors import DataError, UnknownClassError

    try:
        if dry_run:
            planned = plan(terms)
            typer.echo(f"{planned.files} files, {readable_bytes(planned.size_bytes)}")
            typer.echo(planned.note)
            return
        _print_outcome(download(terms, open_watcher(Console(stderr=True))), terms.folder)
    except UnknownClassError as error:
        raise fail(str(error)) from error
    except DataError as error:
        _end(str(error), UNFINISHED, error)
    except KeyboardInterrupt as error:
        _end("stopped; the same command goes on with what has arrived", INTERRUPTED, error)


def _print_outcome(outcome: "Outcome", folder: Path) -> None:
    # Lazy: requests and rich, which `visionstudy --help` must not wait for.
    from data_pipeline.download.manifest import MANIFEST_NAME
    from data_pipeline.download.space import readable_bytes

    manifest = outcome.manifest
    counts = ", ".join(f"{count} {name}" for name, count in manifest.counts.items())
    if outcome.was_complete:
        typer.echo(f"{folder} is complete, nothing to fetch: {counts}")
    else:
        size = readable_bytes(outcome.size_bytes)
        typer.echo(f"{folder}: {counts}; fetched {outcome.files} files, {size}")
    typer.echo(f"annotations  {manifest.licence.annotations}")
    typer.echo(f"pictures     {manifest.licence.pictures}")
    typer.echo(f"cite         {manifest.licence.attribution}")
    typer.echo(f"all of it    {folder / MANIFEST_NAME}")


def _end(message: str, status: int, error: BaseException) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(status) from error
