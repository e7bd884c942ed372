"""`predictions.json`: what was predicted, by what, from what; also what is done already."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.label_maps import NONE
from studies.predicting.choosing import ChosenRun, Member
from studies.predicting.colours import class_colours
from studies.predicting.earlier_record import OtherPredictionsError, earlier_record
from studies.predicting.outputs import delete_files, of_all_pictures, write_file, writing
from studies.predicting.pictures import Picture
from studies.predicting.wishes import Wishes
from studies.running.environment import describe_environment

FILE = "predictions.json"
FORMAT = 1
DATA_SETTINGS = ("dataset", "classes", "image_size", "resize", "normalize", "orientation")
FACTS = ("torch", "torchvision", "numpy", "python", "git_commit", "numerics")


@dataclass(slots=True)
class PredictionsRecord:
    """The record of an output folder."""

    folder: Path
    run: dict[str, Any]  # what makes a prediction what it is
    classes: list[dict[str, Any]]
    versions: dict[str, Any]
    images: dict[str, dict[str, Any]] = field(default_factory=dict)  # by source
    skipped: dict[str, str] = field(default_factory=dict)  # source -> reason
    replaced: set[str] = field(default_factory=set)  # files of another run

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

    def add(self, source: str, entry: dict[str, Any]) -> None:
        """Note what was written of a picture; its files of before that are not among it go."""
        before = self._files(source)
        self.images[source] = entry
        delete_files(self.folder, before - self._files(source))

    def skip(self, source: str, reason: str) -> None:
        """Note why a picture is not predicted; its files of before are of another picture."""
        before = self._files(source)
        self.images.pop(source, None)
        self.skipped[source] = reason
        delete_files(self.folder, before)

    def forget_lost(self) -> None:
        """Forget pictures of before whose prediction somebody deleted."""
        for source, entry in list(self.images.items()):
            prediction = next(iter(entry["files"].values()))
            if not (self.folder / prediction).is_file():
                del self.images[source]

    def clear_replaced(self) -> None:
        """Delete what another run left, once."""
        delete_files(self.folder, self.replaced)
        self.replaced = set()

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
        write_file(self.folder / FILE, text.encode())

    def _files(self, source: str) -> set[str]:
        entry = self.images.get(source)
        return set() if entry is None else set(entry["files"].values())


def open_record(
    folder: Path, run: ChosenRun, wishes: Wishes, *, precisions: Sequence[str]
) -> PredictionsRecord:
    """Return the record of a folder, with what it holds of the same run already.

    What it holds of another run is noted as replaced where that is wanted.

    Raises:
        OtherPredictionsError: It holds predictions of another run, or under other settings.
    """
    colours = class_colours(run.class_names)
    record = PredictionsRecord(
        folder,
        run=described(run, wishes, precisions),
        classes=[
            {"index": index, "name": name, "color": list(colour)}
            for index, (name, colour) in enumerate(zip(run.class_names, colours, strict=True))
        ],
        versions=versions(),
    )
    before = earlier_record(
        folder / FILE, _is_ours, must=f"of format {FORMAT}", is_replacing=wishes.overwrite
    )
    if before is None:
        return record
    if before["run"] != record.run and wishes.overwrite:
        record.replaced = _all_files(before)
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


def check_folder(folder: Path, written: Iterable[str]) -> None:
    """Refuse to write among files of which no record says that they are predictions.

    Args:
        folder: The output folder.
        written: Files and folders that are going to be in it.

    Raises:
        OtherPredictionsError: It has no record, but one of these with something in it.
        UnwritableOutputError: One cannot be looked into.
    """
    with writing(folder):
        if (folder / FILE).exists():
            return
        taken = [name for name in written if _holds_something(folder / name)]
    if taken:
        raise OtherPredictionsError(
            f"{folder} must hold no {' and no '.join(taken)} but of an earlier prediction, of "
            f"which no {FILE} is there; name another folder, or write over what is there by "
            "--overwrite"
        )


def _holds_something(place: Path) -> bool:
    return place.is_file() or (place.is_dir() and any(place.iterdir()))


def stamp(file: Path) -> list[int]:
    """Return a file's size in bytes and time of change, by which a change is noticed."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


def described(run: ChosenRun, wishes: Wishes, precisions: Sequence[str]) -> dict[str, Any]:
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
        "weights_sha256": sha256(member.weights),
        "labels": list(member.class_names),
        "threshold": member.threshold,
        "precision": precision,
        "data": {name: data[name] for name in DATA_SETTINGS if name in data},
        "model": settings.model.model_dump(mode="json"),
        "loss": settings.training.loss,
    }


def versions() -> dict[str, Any]:
    """Return what computed a prediction."""
    facts = describe_environment()
    return {name: facts[name] for name in ("visionstudy", *FACTS)}


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file of weights."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_ours(content: Mapping[str, Any]) -> bool:
    return content.get("format") == FORMAT and "run" in content


def _all_files(content: Mapping[str, Any]) -> set[str]:
    """Return what was written besides the record."""
    entries = [entry["files"] for entry in content["images"]]
    together = (of_all_pictures(files) for files in entries)
    return set().union(*together, *(files.values() for files in entries))


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    return {name for name in {*before, *now} if before.get(name) != now.get(name)}
