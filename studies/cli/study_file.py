"""`visionstudy validate` and `visionstudy schema`: the study file itself."""

from pathlib import Path
from typing import Annotated

import typer

from studies.cli.next_step import next_command
from studies.cli.options import Overrides, StudyFile
from studies.cli.reading import read_study, warn_of_data


def validate(
    study: StudyFile,
    overrides: Overrides = None,
    data: Annotated[
        bool, typer.Option("--data/--no-data", help="Look at the data on disk as well.")
    ] = True,
) -> None:
    """Check a study file.

    Everything that is wrong is listed at once, by line and column, with status 2. Trains nothing.
    """
    spec = read_study(study, overrides, check_data=data).spec
    warn_of_data(spec)
    stages = ", ".join(stage.stage for stage in spec.search.tree)
    search = f"stages: {stages}" if stages else "one joint search"
    typer.echo(f"{study}: in order: study '{spec.study}', {search}")
    typer.echo(f"next: {next_command('plan', str(study), changes=overrides)}")


def schema(
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write it there; else to stdout."),
    ] = None,
    reference: Annotated[
        bool,
        typer.Option("--reference", help="Every field in words, as Markdown, for people."),
    ] = False,
) -> None:
    """Print the study file's JSON Schema.

    Editors complete and check by it, when the first line of a study names it:
    # yaml-language-server: $schema=FILE
    """
    # Lazy: pydantic and the catalogs would make `visionstudy --help` wait.
    from studies.spec.json_schema import study_schema_text
    from studies.spec.schema_reference import schema_reference

    text = schema_reference() if reference else study_schema_text()
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {output}")
