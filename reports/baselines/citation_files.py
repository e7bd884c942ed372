"""CSV files of cited numbers: one file per work, one row per printed number.

The first row names the columns. `REQUIRED` ones must have a value in every row; an empty field,
or a column that a file leaves out, means that the source does not say. Several notes in a field
are separated by " | ", as are the parts of a place in the source's table.

    BaselineError
    ├── UnknownBaselineError    a study names a baseline that no file holds
    └── BaselineFileError       a file has rows that cannot be used; all of them, by line
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from reports.baselines.citations import Baseline, Place, Protocol, Verification

SEPARATOR = " | "
REQUIRED = ("baseline", "row", "system", "task", "dataset", "metric", "value", "source")
WHOLE = (
    "classes_per_model",
    "image_size",
    "batch_size",
    "epochs",
    "train_images",
    "scored_images",
    "frames",
    "views",
    "crops",
    "runs",
)
NUMBERS = ("learning_rate", "threshold", "weight_decay", "parameters_m", "gmacs")
WORDS = ("selected_on", "optimizer", "loss", "split_policy", "schedule", "pretraining")
PLACE = ("row_headers", "printed_row", "printed", "printed_column")
TEXTS = (
    "class_name",
    "printed_class",
    "split",
    "note",
    "printed",
    "label",
    "verified",
    "table_title",
    "row_headers",
    "printed_row",
    "printed_column",
)
COLUMNS = (*REQUIRED, *WHOLE, *NUMBERS, *WORDS, *TEXTS)
VERIFIED = {
    "": Verification.UNSTATED,
    "read": Verification.READ,
    "quoted": Verification.QUOTED,
    "recalled": Verification.RECALLED,
    "metadata": Verification.METADATA,
}
# Metrics that no share of something can be: the others are at most 1.
UNBOUNDED = frozenset(
    {
        "loss",
        "log_loss",
        "hours",
        "epochs",
        "seconds_per_epoch",
        "ms_per_image",
        "images_per_s",
        "memory_gb",
        "parameters_m",
    }
)


class BaselineError(ValueError):
    """A cited number cannot be used."""


class UnknownBaselineError(BaselineError):
    """A study names a baseline that no CSV holds, or a listing asks for what none is of."""

    def __init__(self, name: str, known: Sequence[str], *, kind: str = "baseline") -> None:
        close = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean '{close[0]}'?" if close else f"use one of the known {kind}s"
        where = (
            f"{len(known)} names: visionstudy baselines list"
            if kind == "baseline"
            else f"known: {', '.join(known)}"
        )
        super().__init__(f"unknown {kind} '{name}'; {hint} ({where})")


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with one row of a file."""

    file: str
    line: int  # 1-based, where the row ends
    message: str

    def __str__(self) -> str:
        """Render as `file:line: message`."""
        return f"{self.file}:{self.line}: {self.message}"


class BaselineFileError(BaselineError):
    """A file of cited numbers has rows that cannot be used."""

    def __init__(self, faults: Sequence[RowFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in faults))


def parse(text: str, file: str, *, tasks: Sequence[str] = ()) -> tuple[Baseline, ...]:
    """Read cited numbers from the text of a CSV.

    Args:
        text: The whole file.
        file: Its name, for messages.
        tasks: Tasks that a row may be of; () for any.

    Raises:
        BaselineFileError: a row cannot be used; the error holds all such rows.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    faults = [RowFault(file, 1, message) for message in _header_faults(reader.fieldnames or ())]
    if faults:
        raise BaselineFileError(faults)
    found = []
    heads: dict[str, str] = {}  # baseline -> over the columns that name its rows
    for row in reader:
        wrong = list(_row_faults(row, tasks)) or list(_layout_faults(row, heads))
        faults += [RowFault(file, reader.line_num, message) for message in wrong]
        if not wrong:
            found.append(_baseline(row))
    if not found and not faults:
        faults.append(
            RowFault(file, 1, "a file of cited numbers must hold one, got none; add one")
        )
    if faults:
        raise BaselineFileError(faults)
    return tuple(found)


def _header_faults(columns: Sequence[str]) -> Iterator[str]:
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        needed = ", ".join(REQUIRED)
        yield f"the first row must name the columns {needed}; add {', '.join(missing)}"
    for name in columns:
        if name not in COLUMNS:
            close = get_close_matches(name, COLUMNS, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(COLUMNS)}"
            yield f"unknown column '{name}'; {hint}"
    for name in dict.fromkeys(columns):
        if list(columns).count(name) > 1:
            yield f"column '{name}' must stand there once; remove the others"


def _row_faults(row: Mapping[str, str | None], tasks: Sequence[str]) -> Iterator[str]:
    fields = {name: text for name, text in row.items() if isinstance(text, str)}
    if len(fields) != len(row):  # DictReader: a missing field is None, superfluous ones a list
        yield "a row must have as many fields as the first; quote a text that holds a comma"
        return
    empty = [name for name in REQUIRED if not fields[name].strip()]
    if empty:
        yield f"a row must have a value for {', '.join(empty)}; fill in what the source says"
        return
    for name in WHOLE:
        if (text := fields.get(name)) and not (text.isascii() and text.isdigit()):
            yield f"{name} must be a whole number, got '{text}'"
    for name in ("value", *NUMBERS):
        if (text := fields.get(name)) and _finite(text) is None:
            yield f"{name} must be a number, got '{text}'"
    yield from _meaning_faults(fields, tasks)


def _meaning_faults(fields: Mapping[str, str], tasks: Sequence[str]) -> Iterator[str]:
    task, metric, value = fields["task"], fields["metric"], _finite(fields["value"])
    if tasks and task not in tasks:
        close = get_close_matches(task, tasks, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(tasks)}"
        yield f"unknown task '{task}'; {hint}"
    if value is not None and value > 1 and metric not in UNBOUNDED:
        yield (
            f"{metric} must be a fraction of 1, got {fields['value']}; write {value / 100:g}, and "
            f"'{fields['value']} %' in the column 'printed'"
        )
    if (word := fields.get("verified", "")) not in VERIFIED:
        yield f"verified must be one of {', '.join(filter(None, VERIFIED))} or empty, got '{word}'"
    yield from _place_faults(fields)


def _place_faults(fields: Mapping[str, str]) -> Iterator[str]:
    """Check the parts of a place in the source's table, which are separated by " | "."""
    parts = {name: len(fields.get(name, "").split(SEPARATOR)) for name in PLACE}
    if parts["printed_row"] != parts["row_headers"]:
        yield "printed_row must have as many parts, separated by ' | ', as row_headers"
    if fields.get("printed_column") and parts["printed"] > parts["printed_column"]:
        yield "printed must have no more parts, separated by ' | ', than printed_column"


def _layout_faults(row: Mapping[str, str], heads: dict[str, str]) -> Iterator[str]:
    """Check that all places of a baseline are in one table; remember the first."""
    if row.get("printed_column"):
        first = heads.setdefault(row["baseline"], row.get("row_headers", ""))
        if row.get("row_headers", "") != first:
            yield (
                f"row_headers must be '{first}' in every row of {row['baseline']}, got "
                f"'{row.get('row_headers', '')}'; give another table another name"
            )


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _baseline(row: Mapping[str, str]) -> Baseline:
    class_name = row.get("class_name") or "all"
    return Baseline(
        name=row["baseline"],
        row=row["row"],
        system=row["system"],
        printed_class=row.get("printed_class") or class_name,
        value=float(row["value"]),
        printed=row["value"],
        protocol=_protocol(row, class_name),
        source=row["source"],
        notes=tuple(note for note in row.get("note", "").split(SEPARATOR) if note),
        as_printed=row.get("printed") or row["value"],
        label=row.get("label", ""),
        verified=VERIFIED[row.get("verified", "")],
        parameters_m=_number(row.get("parameters_m")),
        gmacs=_number(row.get("gmacs")),
        runs=_whole(row.get("runs")),
        place=_place(row),
    )


def _protocol(row: Mapping[str, str], class_name: str) -> Protocol:
    return Protocol(
        task=row["task"],
        dataset=row["dataset"],
        class_name=class_name,
        metric=row["metric"],
        split=row.get("split", ""),
        selected_on=row.get("selected_on") or None,
        classes_per_model=_whole(row.get("classes_per_model")),
        image_size=_whole(row.get("image_size")),
        batch_size=_whole(row.get("batch_size")),
        learning_rate=_number(row.get("learning_rate")),
        optimizer=row.get("optimizer") or None,
        loss=row.get("loss") or None,
        threshold=_number(row.get("threshold")),
        epochs=_whole(row.get("epochs")),
        train_images=_whole(row.get("train_images")),
        scored_images=_whole(row.get("scored_images")),
        frames=_whole(row.get("frames")),
        views=_whole(row.get("views")),
        crops=_whole(row.get("crops")),
        split_policy=row.get("split_policy") or None,
        weight_decay=_number(row.get("weight_decay")),
        schedule=row.get("schedule") or None,
        pretraining=row.get("pretraining") or None,
    )


def _place(row: Mapping[str, str]) -> Place | None:
    if not row.get("printed_column"):
        return None
    columns = tuple(row["printed_column"].split(SEPARATOR))
    texts = (row.get("printed") or row["value"]).split(SEPARATOR)
    return Place(
        title=row.get("table_title", ""),
        headers=tuple(row.get("row_headers", "").split(SEPARATOR)),
        row=tuple(row.get("printed_row", "").split(SEPARATOR)),
        columns=columns,
        texts=(*texts, *[""] * (len(columns) - len(texts))),
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text else None


def _number(text: str | None) -> float | None:
    return float(text) if text else None
