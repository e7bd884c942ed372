"""What the tracker is sent of the numbers that a study cites: a result per row of a source."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict

from reports.baselines import Baseline, load
from trackers.records import JsonValue, StudyRecord
from trackers.tracker import CitedResult

ALL = "all"  # as a source's class: it says nothing of one class alone
# The name of a setting of ours that means the same.
SETTINGS = {
    "dataset": "data.dataset",
    "image_size": "data.image_size",
    "batch_size": "training.batch_size",
    "learning_rate": "training.learning_rate",
    "optimizer": "training.optimizer",
    "loss": "training.loss",
    "epochs": "training.epochs",
    "weight_decay": "training.weight_decay",
    "threshold": "evaluation.threshold",
}
NO_SETTINGS = ("task", "metric", "split")  # the names of metrics and the study say them


def cited_results(study: StudyRecord) -> tuple[CitedResult, ...]:
    """Return what a study cites, as far as its own cells have numbers of the same name.

    Raises:
        UnknownBaselineError: the study names a baseline that is not known.
    """
    known = {name for cell in study.cells.values() for name in cell.metrics}
    groups = {cell.group for cell in study.cells.values()} - {""}
    slugs = {k: slug for cell in study.cells.values() for k, slug in cell.class_slugs.items()}
    rows: dict[str, list[tuple[str, Baseline]]] = {}
    for each in load(study.baselines, study.cited_files):
        name = _metric(each, groups, slugs)
        if name in known:
            rows.setdefault(_key(each), []).append((name, each))
    return tuple(_result(key, named) for key, named in rows.items())


def _metric(cited: Baseline, groups: Collection[str], slugs: Mapping[str, str]) -> str:
    """Name a cited number as the cells name theirs; where each class has its model, by itself.

    "" of a class that no cell has.
    """
    protocol = cited.protocol
    name = f"{protocol.split}/{protocol.metric}"
    if protocol.class_name == ALL or protocol.class_name in groups:
        return name
    slug = slugs.get(protocol.class_name)
    return f"{name}_{slug}" if slug else ""


def _key(cited: Baseline) -> str:
    """Tell a row of a source from all others."""
    parts = (cited.name, cited.row, cited.system, cited.protocol.class_name)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _result(key: str, named: list[tuple[str, Baseline]]) -> CitedResult:
    metrics: dict[str, float] = {}
    for name, each in named:
        metrics.setdefault(name, each.value)
    first = named[0][1]
    row = ", ".join(dict.fromkeys(each.row for _, each in named))
    return CitedResult(
        id=key,
        name=f"baseline / {first.name} / {row}",
        source=first.source,
        settings=_settings(first),
        metrics=metrics,
        note=_note([each for _, each in named]),
    )


def _settings(cited: Baseline) -> dict[str, JsonValue]:
    protocol = {key: value for key, value in asdict(cited.protocol).items() if value is not None}
    named = {
        SETTINGS.get(key, f"protocol.{key}"): value
        for key, value in protocol.items()
        if key not in NO_SETTINGS
    }
    return {"model": cited.system, **named}


def _note(cited: list[Baseline]) -> str:
    first = cited[0]
    notes = dict.fromkeys(note for each in cited for note in each.notes)
    said = dict.fromkeys(each.label for each in cited if each.label)
    return "\n".join(
        [
            f"**Cited**, not measured here: {first.system}, {first.row}.  ",
            f"**Source**: {first.source} ({first.verified}).",
            "",
            "The study's report says what of it may be compared with ours.",
            "",
            *(f"- {each}" for each in (*said, *notes)),
        ]
    ).strip()
