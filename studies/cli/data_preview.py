"""`visionstudy data preview`: what will the network really see?"""

from pathlib import Path
from typing import Annotated

import typer

from studies.cli.options import DEFAULT_WORKSPACE, Overrides, StudyFile, Workspace
from studies.cli.reading import fail, read_study
from studies.running.workspace import open_workspace


def preview(
    study: StudyFile,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Where to; default: the study's folder."
        ),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option("--stage", metavar="NAME", help="A stage's first candidate; default: base."),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=48, help="Training samples to show.")] = 6,
    overrides: Overrides = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Write a page with what the network will really see; trains nothing.

    Training samples as they lie on disk, at the input size, and as changed in the first epochs
    of the first seed, with boxes, masks and classes; the tensor's shape, type and range.
    """
    place = open_workspace(workspace)
    spec = read_study(study, overrides).spec
    # Lazy: they load torch, which `visionstudy --help` must not wait for.
    from data_pipeline.errors import DataError
    from reports.preview_page import write_preview
    from studies.running.data_preview import PreviewOrder, preview_record
    from studies.running.preview_choice import UnknownStageError, preview_choice

    try:
        choice = preview_choice(spec, stage)
        order = PreviewOrder(
            study=spec.study,
            configuration=choice.words,
            batch_size=choice.settings.training.batch_size,
            samples=samples,
        )
        record = preview_record(choice.settings.data, spec.task, order)
    except (DataError, UnknownStageError) as error:
        raise fail(str(error)) from error
    file = output or place.study(spec.study) / "preview.html"
    write_preview(record, file)
    typer.echo(f"wrote {file}")
