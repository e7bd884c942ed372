"""`visionstudy models` and `visionstudy data`: what a study may name."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studies.cli.data_check import check as check_data
from studies.cli.data_download import download_app
from studies.cli.data_preview import preview as preview_data
from studies.cli.network_comparing import EXAMPLES, compare_models
from studies.cli.options import AsJson
from studies.cli.reading import fail

if TYPE_CHECKING:
    from models.entries import ModelEntry

models_app = typer.Typer(help="Networks that a study may name.", no_args_is_help=True)
data_app = typer.Typer(help="Datasets that a study may name.", no_args_is_help=True)
data_app.add_typer(download_app, name="download")
data_app.command("check")(check_data)
data_app.command("preview")(preview_data)
models_app.command("compare", epilog=EXAMPLES)(compare_models)


@models_app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List every model: name, tasks, what it is."""
    # Lazy: pydantic and the catalogs would make `visionstudy --help` wait.
    from models.catalog import MODELS

    rows = [(name, sorted(entry.tasks), entry.summary) for name, entry in MODELS.items()]
    _print_list(rows, as_json=as_json)


@data_app.command("list")
def list_data(as_json: AsJson = False) -> None:
    """List every dataset: name, tasks, what it is."""
    # Lazy: pydantic and the catalogs would make `visionstudy --help` wait.
    from data_pipeline.catalog import DATASETS

    rows = [(name, sorted(entry.tasks), entry.summary) for name, entry in DATASETS.items()]
    _print_list(rows, as_json=as_json)


@models_app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(help="Name, as `models list` prints it.")],
    classes: Annotated[
        int, typer.Option("--classes", min=1, metavar="N", help="Classes to tell apart.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Show a model's settings and its exact parameter count for a number of classes.

    Fields of --json: name; tasks (list); classes, without the background; parameters (trainable,
    with default settings, and an output for the background where the first task has one; null for
    a model without a network); settings (list of name, default, description).
    """
    # Lazy: pydantic and the catalogs would make `visionstudy --help` wait.
    from models.catalog import MODELS
    from studies.spec.problems import unknown_entry

    if name not in MODELS:
        raise fail(unknown_entry("model", name, MODELS))
    facts = model_facts(name, MODELS[name], classes)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    parameters = "none (no network)" if facts["parameters"] is None else f"{facts['parameters']:,}"
    typer.echo(f"{name}: {MODELS[name].summary}")
    typer.echo(f"tasks       {', '.join(facts['tasks'])}")
    typer.echo(f"parameters  {parameters} with {classes} class{'es' if classes > 1 else ''}")
    typer.echo("settings")
    for setting in facts["settings"]:
        default = json.dumps(setting["default"])
        typer.echo(f"  {setting['name']} = {default}: {setting['description']}")


def model_facts(name: str, entry: "ModelEntry", classes: int) -> dict[str, Any]:
    """Return what `models show --json` prints."""
    defaults = entry.settings(name=name).model_dump(mode="json")
    return {
        "name": name,
        "tasks": sorted(entry.tasks),
        "classes": classes,
        "parameters": _parameters(name, entry, _channels(entry, classes)),
        "settings": [
            {"name": field, "default": defaults[field], "description": info.description or ""}
            for field, info in entry.settings.model_fields.items()
            if field != "name"
        ],
    }


def _channels(entry: "ModelEntry", classes: int) -> int:
    """Return the output channels that the entry's first task asks for."""
    # Lazy, as above.
    from models.catalog import TASKS
    from models.settings import TrainingSettings

    names = [f"class {number}" for number in range(1, classes + 1)]
    return TASKS[min(entry.tasks)].output_channels(TrainingSettings(), names)


def _parameters(name: str, entry: "ModelEntry", channels: int) -> int | None:
    """Return the trainable parameters at default settings; None without a network."""
    if entry.builder is None or channels in entry.parameters:
        return entry.parameters.get(channels)  # as the catalog states it, at once
    # Lazy: torch takes seconds to import.
    import torch

    from models.cost import count_parameters
    from models.resolve import resolve

    with torch.device("meta"):  # shapes without memory for weights
        network = resolve(entry.builder)(entry.settings(name=name), channels)
    return count_parameters(network)


def _print_list(rows: Sequence[tuple[str, list[str], str]], *, as_json: bool) -> None:
    """Print catalog entries; fields of JSON: name, tasks (list), summary."""
    if as_json:
        entries = [{"name": n, "tasks": tasks, "summary": text} for n, tasks, text in rows]
        typer.echo(json.dumps(entries, indent=2))
        return
    width = max(len(name) for name, _, _ in rows)
    for name, tasks, summary in rows:
        typer.echo(f"{name:<{width}}  {summary} ({', '.join(tasks)})")
