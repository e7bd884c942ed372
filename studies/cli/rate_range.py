"""`visionstudy lr-range`: which learning rates does it learn at?"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli.options import DEFAULT_WORKSPACE, AsJson, Overrides, StudyFile, Workspace
from studies.cli.reading import fail, read_study
from studies.cli.result_file import make_place_of
from studies.running.workspace import open_workspace

if TYPE_CHECKING:
    from models.rate_range import RateRange
    from reports.rate_record import RateRecord
    from studies.running.workspace import WorkspaceFolder
    from studies.spec.schema import StudySpec

TOLD_TIMES = 10  # lines of progress
EXAMPLES = """Examples:

\b
  visionstudy lr-range studies/library/quickstart.yaml
  visionstudy lr-range my_study.yaml --set training.optimizer=sgd --low 1e-5 --high 10
  visionstudy lr-range my_study.yaml --stage 'batch size' --steps 400 -o rates.html
"""


def lr_range(
    study: StudyFile,
    low: Annotated[float, typer.Option("--low", help="Rate of the first step.")] = 1e-7,
    high: Annotated[float, typer.Option("--high", help="Rate of the last step.")] = 10.0,
    steps: Annotated[
        int, typer.Option("--steps", help="Optimizer steps; at least 20, hundreds are usual.")
    ] = 200,
    stage: Annotated[
        str | None,
        typer.Option("--stage", metavar="NAME", help="A stage's first candidate; default: base."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of weights and batches.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Page to write, and the table beside it as .csv; default: lr_range.html in the "
            "study's folder.",
        ),
    ] = None,
    overrides: Overrides = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Find learning rates worth a try, in one short run.

    A range test (Smith 2017, section 3.3) trains one network for some hundred steps, while the
    learning rate grows from LOW to HIGH by the same factor in every step. Where the rate is too
    small the loss stays; then it falls; where the rate is too large it explodes, and the test
    ends. Suggested are the rate where the loss falls fastest and a tenth of the lowest one where
    it is all but least: between them is where a study should search. Every schedule begins at
    `training.learning_rate` or has it as its top.

    Everything but the rate is as the study's base settings say (or a stage's first candidate's):
    data, batches, augmentation, optimizer, weights that it starts from. Schedule and warm-up are
    set aside. It is no trial: nothing is validated or kept, and the ledger is not touched. One
    seed and so few steps narrow a search down, and replace none.

    Written are a page with the curve, and every step as CSV: step, learning_rate, loss,
    smoothed_loss (a mean over the steps around it).

    --json prints {"study", "task", "configuration", "settings", "rates", "losses", "smoothed",
    "window", "steps", "has_exploded", "suggested": null or {"steepest", "tenth", "least_at",
    "low", "high", "still_falls"}, "page", "table"}.

    Exit status: 0 it ran, whatever it shows; 2 it cannot be run, and why is on stderr.
    """
    place = open_workspace(workspace)
    spec = read_study(study, overrides, place=place).spec
    # Lazy: it loads numpy and pydantic, which `visionstudy --help` must not wait for.
    from models.rate_range import RateRange

    page = output or place.study(spec.study) / "lr_range.html"
    table = page.with_suffix(".csv")
    if table == page:
        raise fail(f"-o names the page, beside which the table is written as .csv; got {page}")
    if output is not None:
        make_place_of("-o", page)
    wanted = RateRange(low=low, high=high, steps=steps)
    record = _record(spec, stage, wanted, place=place, seed=seed, quiet=as_json)
    # Lazy: it loads plotly.
    from reports.rate_page import notes, verdict, write_rates

    write_rates(record, page, table)
    if as_json:
        typer.echo(json.dumps({**asdict(record), "page": str(page), "table": str(table)}))
        return
    for line in (verdict(record), *_as_stage(record), *notes(record)):
        typer.echo(line)
    typer.echo(f"wrote {page} and {table}")


def _record(
    spec: "StudySpec",
    stage: str | None,
    wanted: "RateRange",
    *,
    place: "WorkspaceFolder",
    seed: int,
    quiet: bool,
) -> "RateRecord":
    # Lazy: they load torch, which `visionstudy --help` must not wait for.
    from data_pipeline.errors import DataError
    from models.named_layers import TransferError
    from models.pretrained import PretrainedWeightsError
    from models.rate_range import RateRangeError
    from models.recomputing import CannotRecomputeError
    from models.session import OutOfMemory, TrainingEnd
    from models.workbench import UnusablePrecisionError
    from studies.running.preview_choice import UnknownStageError, preview_choice
    from studies.running.rate_range import UntestableError, rate_record
    from studies.running.starting import Starts, UnusableStartError

    def told(step: int, rate: float, loss: float) -> None:
        if not quiet and step % max(1, wanted.steps // TOLD_TIMES) == 0:
            typer.echo(
                f"step {step} of {wanted.steps}: rate {rate:.2g}, loss {loss:.4g}", err=True
            )

    try:
        wanted.rates()  # before any data is looked at
        choice = preview_choice(spec, stage)
        return rate_record(spec, choice, wanted, starts=Starts(place), seed=seed, told=told)
    except OutOfMemory as error:
        raise fail(f"{error}; use a smaller --set training.batch_size=…") from error
    except (
        CannotRecomputeError,
        DataError,
        PretrainedWeightsError,
        RateRangeError,
        TrainingEnd,
        TransferError,
        UnknownStageError,
        UntestableError,
        UnusablePrecisionError,
        UnusableStartError,
    ) as error:
        raise fail(str(error)) from error


def _as_stage(record: "RateRecord") -> list[str]:
    """Return what a stage of the study would say."""
    # Lazy: it loads plotly.
    from reports.rate_page import worth_a_try

    if record.suggested is None:
        return []
    rates = [f"{rate:.2g}" for rate in worth_a_try(record.suggested)]
    if len(rates) == 1:
        around = [f"{rate:.2g}" for rate in (float(rates[0]) / 3, float(rates[0]) * 3)]
        values = f"[{around[0]}, {rates[0]}, {around[1]}]"
    else:
        values = f"{{low: {rates[0]}, high: {rates[1]}, log: true}}"
    sampled = "" if values.startswith("[") else ", sampler: tpe, trials: 20"
    vary = f"vary: {{training.learning_rate: {values}}}{sampled}"
    return [f"  as a stage: {{stage: learning rate, {vary}}}"]
