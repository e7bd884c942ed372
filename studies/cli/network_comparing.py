"""`visionstudy models compare`: which network is worth what it takes on this machine?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli.options import AsJson
from studies.cli.reading import fail
from studies.cli.result_file import make_place_of

if TYPE_CHECKING:
    import torch

    from reports.network_record import NetworkRow, NetworksRecord
    from studies.networks.candidates import Candidate
    from studies.networks.inputs import Pictures
    from studies.networks.measuring import MeasuringOrder

PICTURE_TASKS = (
    "image_classification",
    "semantic_segmentation",
    "object_detection",
    "instance_segmentation",
)
IMAGENET_CLASSES = 1000
STOPPED = 1  # exit status: Ctrl-C before all were measured
EXAMPLES = """Examples:

\b
  visionstudy models compare
  visionstudy models compare --models resnet,vgg:depth=16 --size 128
  visionstudy models compare --images photos/ --html networks.html --csv networks.csv
  visionstudy models compare --task semantic_segmentation --size 256 --classes 21
"""


def compare_models(
    models: Annotated[
        str | None,
        typer.Option(
            "--models",
            metavar="A,B,…",
            help="Families, each with all its variants, or some: resnet:depth=50. Default: each "
            "family's usual, first and last variant.",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All variants of all families.")] = False,
    images: Annotated[
        str | None,
        typer.Option("--images", metavar="DIR", help="Pictures to time with; default: noise."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            min=1,
            metavar="PIXELS",
            help="Sides of the pictures, for all; default: those that each is published for, or "
            "made for where nothing is published.",
        ),
    ] = None,
    task: Annotated[str, typer.Option(help="Whose networks.")] = PICTURE_TASKS[0],
    classes: Annotated[
        int, typer.Option("--classes", min=1, metavar="N", help="Classes to tell apart.")
    ] = IMAGENET_CLASSES,
    batch: Annotated[
        int, typer.Option("--batch", min=1, metavar="N", help="Pictures of a pass.")
    ] = 1,
    device: Annotated[
        str,
        typer.Option(help="cpu, cuda or cuda:N; auto: the CPU, and a GPU if there is one."),
    ] = "auto",
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with figures.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write every number as CSV.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare what networks take on this machine with what they are published to score.

    Weights in MB (2^20 bytes) as they are kept and downloaded, top-1 and top-5 on ImageNet as
    published, parameters that predict (of GoogLeNet and Inception-v3 without the heads that only
    help it to learn, which the MB have), multiply-accumulates of a forward pass, and milliseconds
    for each picture: the median of passes of up to a second. Nothing is trained or downloaded,
    and no accuracy is measured: the weights are random. One network at a time is in memory;
    Ctrl-C prints what there is.

    --json prints {"task", "classes", "batch_size", "pictures", "cpu", "gpu", "versions", "load"
    (processes that wanted each core when it began), "left_out", "networks"}; networks have the
    columns of --csv: network, image_size, weights_mb, parameters, macs, top1, top5,
    published_image_size, published_source, cpu_ms, cpu_fastest_ms, cpu_slowest_ms, cpu_passes,
    the same of gpu, fault (why it could not be measured).

    Exit status: 0 all were tried; 1 it was stopped before; 2 it was refused.
    """
    _refuse_contradictions(models, every=every, task=task)
    for option, file in (("--html", html), ("--csv", csv)):
        if file is not None:
            make_place_of(option, file)
    # Lazy: they load torch, Plotly and rich, which `visionstudy --help` must not wait for.
    from studies.cli.network_comparing_output import networks_json, print_networks
    from studies.networks.measuring import MeasuringOrder, load_per_core

    chosen = _candidates(models, every=every, task=task)
    order = MeasuringOrder(
        task=task,
        classes=classes,
        batch_size=batch,
        image_size=size,
        devices=_devices(device),
        pictures=_pictures(images),
        load=load_per_core(),
    )
    record = _measured(chosen, order)
    if as_json:
        typer.echo(networks_json(record))
    else:
        print_networks(record)
    _write(record, html=html, csv=csv)
    if record.left_out:
        raise typer.Exit(STOPPED)


def _refuse_contradictions(models: str | None, *, every: bool, task: str) -> None:
    if models is not None and every:
        raise fail("--all measures every network: leave out --models, or --all")
    if task not in PICTURE_TASKS:
        raise fail(f"--task must be one of {', '.join(PICTURE_TASKS)}, got '{task}'")


def _candidates(models: str | None, *, every: bool, task: str) -> "tuple[Candidate, ...]":
    # Lazy, as above.
    from studies.networks.candidates import (
        UnknownNetworkError,
        all_candidates,
        named_candidates,
        usual_candidates,
    )

    if models is None:
        return all_candidates(task) if every else usual_candidates(task)
    try:
        return named_candidates(task, [each.strip() for each in models.split(",")])
    except UnknownNetworkError as error:
        raise fail(str(error)) from error


def _pictures(folder: str | None) -> "Pictures":
    # Lazy, as above.
    from data_pipeline.errors import DataError
    from studies.networks.inputs import NOISE, pictures_of
    from studies.predicting.pictures import NoPictureError

    try:
        return NOISE if folder is None else pictures_of(folder)
    except (NoPictureError, DataError) as error:
        raise fail(str(error)) from error


def _devices(named: str) -> "tuple[torch.device, ...]":
    """Return what is measured on, the CPU first."""
    # Lazy, as above.
    import torch

    cpu, gpus = torch.device("cpu"), torch.cuda.device_count()
    if named == "auto":
        return (cpu, torch.device("cuda")) if gpus else (cpu,)
    known = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{number}" for number in range(gpus))]
    if named not in known:
        raise fail(f"--device must be auto or one of {', '.join(known)} here, got '{named}'")
    return (torch.device(named),)


def _measured(chosen: "tuple[Candidate, ...]", order: "MeasuringOrder") -> "NetworksRecord":
    """Measure one network after the other until all are, or Ctrl-C."""
    # Lazy, as above.
    from studies.cli.network_comparing_output import measuring_progress
    from studies.networks.measuring import measured_rows, networks_record

    rows: list[NetworkRow] = []
    try:
        with measuring_progress([each.label for each in chosen]) as told:
            for row in measured_rows(chosen, order):
                rows.append(row)
                told(len(rows))
    except KeyboardInterrupt:
        typer.echo("stopped: what was measured follows", err=True)
    return networks_record(rows, order, left_out=len(chosen) - len(rows))


def _write(record: "NetworksRecord", *, html: Path | None, csv: Path | None) -> None:
    # Lazy, as above.
    from reports.exports.csv_text import csv_text
    from reports.network_page import write_network_page
    from reports.tables.networks import csv_table
    from reports.templating import write_page

    if html is not None:
        write_network_page(record, html)
        typer.echo(f"wrote {html}", err=True)
    if csv is not None:
        write_page(csv_text(csv_table(record)), csv)
        typer.echo(f"wrote {csv}", err=True)
