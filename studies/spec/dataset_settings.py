"""Settings of a dataset without a study around them, as a command line names them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml.error import MarkedYAMLError

from data_pipeline.catalog import DATASETS
from data_pipeline.settings import DataSettings
from studies.spec.document import parse_value
from studies.spec.problems import dotted, unknown_entry
from studies.spec.wording import explain

FORM = "must be written setting=value, e.g. --set split_list=2"


def dataset_settings(name: str, root: Path | None, changes: Sequence[str]) -> DataSettings:
    """Return a dataset's settings.

    Args:
        name: As `visionstudy data list` prints it.
        root: Folder of the dataset; None: it needs none, or a change names it.
        changes: `a.b=c` each, c in YAML.

    Raises:
        ValueError: A name or value is wrong; every line of the message is one problem.
    """
    if name not in DATASETS:
        raise ValueError(unknown_entry("dataset", name, DATASETS))
    model = DATASETS[name].settings
    raw: dict[str, Any] = {"dataset": name}
    if root is not None:
        if "root" not in model.model_fields:
            raise ValueError(f"dataset '{name}' lies in no folder of yours; leave out --root")
        raw["root"] = str(root)
    for change in changes:
        _put(raw, change)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        found = [
            explain(detail, raw, section="data", annotation=model).finding
            for detail in error.errors(include_url=False)
        ]
        raise ValueError(
            "\n".join(f"{dotted(each.loc)}: {each.message}" for each in found)
        ) from error


def _put(raw: dict[str, Any], change: str) -> None:
    """Set one value, making mappings on the way."""
    path, equals, text = change.partition("=")
    *parents, key = path.strip().removeprefix("data.").split(".")
    if not (equals and key):
        raise ValueError(f"--set {change}: {FORM}")
    node = raw
    for part in parents:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            raise ValueError(f"--set {change}: '{part}' is a single value and has no '{key}'")
    try:
        node[key] = parse_value(text)
    except MarkedYAMLError as error:
        raise ValueError(f"--set {change}: the value must be YAML: {error.problem}") from error
