"""`predictions.json`: what was predicted, by what, from what; also what is done already."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.checkpoints import write_atomically
from models.label_maps import NONE
from studies.predicting.choosing import ChosenRun, Member
from studies.predicting.colours import class_colours
from studies.predicting.pictures import Picture
from studies.predicting.wishes import Wishes
from studies.running.environment import describe_environment

FILE = "predictions.json"
FORMAT = 1
DATA_SETTINGS = ("dataset", "classes", "image_size", "resize", "normalize", "orientation")
FACTS = ("torch", "torchvision", "numpy", "python", "git_commit", "numerics")


class OtherPredictionsError(Exception):
    """The output folder holds something else."""


@dataclass(slots=True)
class PredictionsRecord:
    """The record of an output folder."""

    folder: Path
    run: dict[str, Any]  # what makes a prediction what it is
    classes: list[dict[str, Any]]
    versions: dict[str, Any]
    images: dict[str, dict[str, Any]] = field(default_factory=dict)  # by source
    skipped: dict[str, str] = field(default_factory=dict)  # source -> reason

    def names(self) -> dict[str, str]:
        """Return source -> name of its outputs."""
        return {source: str(entry["name"]) for source, entry in self.images.items()}

    def is_done(self, picture: Picture, files: Mapping[str, str]) -> bool:
        """Whether a picture has not changed since it was predicted, and its files are there."""
        entry = self.images.get(str(picture.file))
        return (
            entry is not None
            and entry["stamp"] == stamp(picture.file)
            and all(entry["files"].get(role) == file for role, file in files.items())
            and all((self.folder / file).is_file() for file in files.values())
        )

    def in_order(self) -> list[dict[str, Any]]:
        """Return what is said of each picture, in the order in which it is written."""
        return [entry for _, entry in sorted(self.images.items())]

    def save(self) -> None:
        """Write the file, whole or not at all."""
        content = {
            "format": FORMAT,
            "run": self.run,
            "classes": self.classes,
            "none": NONE,
            "images": [
                {"source": source, **entry} for source, entry in sorted(self.images.items())
            ],
            "skipped": [
                {"source": source, "reason": reason}
                for source, reason in sorted(self.skipped.items())
            ],
            "versions": self.versions,
        }
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / FILE, lambda stream: stream.write(text.encode()))


def open_record(
    folder: Path, run: ChosenRun, wishes: Wishes, *, precisions: Sequence[str]
) -> PredictionsRecord:
    """Return the record of a folder, with what it holds of the same run already.

    Raises:
        OtherPredictionsError: It holds predictions of another run, or under other settings.
    """
    colours = class_colours(run.class_names)
    record = PredictionsRecord(
        folder,
        run=_described(run, wishes, precisions),
        classes=[
            {"index": index, "name": name, "color": list(colour)}
            for index, (name, colour) in enumerate(zip(run.class_names, colours, strict=True))
        ],
        versions=_versions(),
    )
    before = None if wishes.overwrite else _read(folder / FILE)
    if before is None:
        return record
    if before["run"] != record.run:
        different = ", ".join(sorted(_differences(before["run"], record.run)))
        raise OtherPredictionsError(
            f"{folder} must hold predictions of this run or none, but holds others (of study "
            f"'{before['run']['study']}'; different: {different}); "
            "name another folder, or replace them by --overwrite"
        )
    record.images = {entry.pop("source"): entry for entry in before["images"]}
    return record


def stamp(file: Path) -> list[int]:
    """Return a file's size in bytes and time of change, by which a change is noticed."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


def _described(run: ChosenRun, wishes: Wishes, precisions: Sequence[str]) -> dict[str, Any]:
    """Say what a prediction follows from, in types that JSON gives back equal."""
    described = {
        "study": run.study,
        "task": run.task,
        "threshold": wishes.threshold,
        "least_score": wishes.least_score,
        "classes": list(wishes.classes),
        "networks": [
            _network(member, precision)
            for member, precision in zip(run.members, precisions, strict=True)
        ],
    }
    plain: dict[str, Any] = json.loads(json.dumps(described))
    return plain


def _network(member: Member, precision: str) -> dict[str, Any]:
    settings = member.settings
    data = settings.data.model_dump(mode="json")
    return {
        "cell": member.cell,
        "trained_cell": member.trained,
        "role": member.role,
        "class": member.group,
        "seed": member.seed,
        "weights": member.weights.name,
        "weights_sha256": _sha256(member.weights),
        "labels": list(member.class_names),
        "threshold": member.threshold,
        "precision": precision,
        "data": {name: data[name] for name in DATA_SETTINGS if name in data},
        "model": settings.model.model_dump(mode="json"),
        "loss": settings.training.loss,
    }


def _versions() -> dict[str, Any]:
    facts = describe_environment()
    return {name: facts[name] for name in ("visionstudy", *FACTS)}


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read(file: Path) -> dict[str, Any] | None:
    """Return what the file holds; None where there is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise OtherPredictionsError(
            f"{file} must be JSON of an earlier prediction, but is not ({error}); "
            "name another folder, or replace it by --overwrite"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise OtherPredictionsError(
            f"{file} must be of format {FORMAT}; name another folder, or replace it by --overwrite"
        )
    return content


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    return {name for name in {*before, *now} if before.get(name) != now.get(name)}
