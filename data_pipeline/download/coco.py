"""COCO 2017: so many images of each chosen class, or whole splits.

    DIR/annotations/instances_train2017.json      DIR/train2017/000000000009.jpg   (and val2017)

With classes, images are fetched one by one and the annotations cut down to them: the official
records, unchanged, of the chosen classes (also of a second chosen class in an image chosen for
the first), under the official ids. An image counts for a class if it has an object of it that is
not a crowd. Without classes, the official archives are fetched and unpacked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from data_pipeline.download.checksums import Checksum
from data_pipeline.download.coco_subset import Chosen, image_files, images_by_class, write_subset
from data_pipeline.download.delivery import (
    Delivery,
    Request,
    delivery,
    finished_manifest,
    sized,
    source_name,
)
from data_pipeline.download.journal import HeldFile
from data_pipeline.download.licences import COCO
from data_pipeline.download.progress import Watcher
from data_pipeline.download.remote_file import RemoteFile, mirrored
from data_pipeline.download.terms import Outcome, Plan, Terms
from data_pipeline.download.whole_archives import plan_of_archives, unpack_sources

# As the project says it: the server has no certificate of that name. The archives' checksums
# are known; a single picture's is what the server says.
SERVER = "http://images.cocodataset.org"
CocoSplit = Literal["train", "val"]
ANNOTATIONS = (
    f"{SERVER}/annotations/annotations_trainval2017.zip",
    252_907_541,
    "f4bbac642086de4f52a3fdda2de5fa2c",
)
PICTURES: Mapping[CocoSplit, tuple[str, int, str]] = {
    "train": (
        f"{SERVER}/zips/train2017.zip",
        19_336_861_798,
        "cced6f7f71b7629ddf16f17bbcfab6b2",
    ),
    "val": (f"{SERVER}/zips/val2017.zip", 815_585_330, "442b8da7639aecaf257c1dceb8ba8c80"),
}
MEAN_PICTURE_BYTES = 165_000


@dataclass(frozen=True, slots=True)
class CocoChoice:
    """What of COCO to fetch."""

    per_split: Mapping[CocoSplit, int]  # images per class; not used without classes
    classes: tuple[str, ...] = ()  # empty: whole splits
    seed: int = 0


def plan(choice: CocoChoice, terms: Terms) -> Plan:
    """Say what `download` would fetch; asks the servers for sizes only.

    Raises:
        DataError: The folder holds another dataset.
    """
    if finished_manifest(terms.folder, _request(choice)) is not None:
        return Plan(0, 0, "everything is there")
    archives = plan_of_archives(_archives(choice, terms), terms)
    if not choice.classes:
        return archives
    images = _most_images(choice)
    return Plan(
        files=archives.files + images,
        size_bytes=archives.size_bytes + images * MEAN_PICTURE_BYTES,
        note=f"the annotations, and at most {images} images of about 0.2 MB",
    )


def download(choice: CocoChoice, terms: Terms, watcher: Watcher) -> Outcome:
    """Fetch the images and annotations of a choice; does nothing where they are.

    Raises:
        UnknownClassError: A class that COCO does not have.
        DataError: Something could not be fetched; the same call goes on.
    """
    with delivery(_request(choice), terms, watcher) as incoming:
        if incoming.finished is not None:
            return Outcome(incoming.finished, files=0, size_bytes=0, was_complete=True)
        archives = sized(_archives(choice, terms), terms)
        if choice.classes:
            return _subset(choice, incoming, archives[0])
        incoming.require_room(archives, more_bytes=sum(a.size_bytes for a in archives))
        made = unpack_sources(incoming, archives, lambda name: _wanted(name, choice))
        outcome = incoming.finish({"images": sum(h.name.endswith(".jpg") for h in made)}, made)
        incoming.remove_archives()
        return outcome


def _subset(choice: CocoChoice, incoming: Delivery, annotations: RemoteFile) -> Outcome:
    incoming.require_room([annotations], more_bytes=_most_images(choice) * MEAN_PICTURE_BYTES)
    archive = incoming.source(annotations)
    chosen: dict[CocoSplit, Chosen] = {}
    files: dict[CocoSplit, dict[int, str]] = {}
    for split, per_class in choice.per_split.items():
        incoming.say(f"choosing images from {_member(split)}")
        chosen[split] = images_by_class(
            archive, _member(split), choice.classes, per_class=per_class, seed=choice.seed
        )
        files[split] = image_files(archive, _member(split), chosen[split].image_ids)
    remotes = [
        _picture(split, file_name, incoming.terms)
        for split, names in files.items()
        for file_name in names.values()
    ]
    here = {remote.name for remote in incoming.fetch(remotes)}
    made: list[HeldFile] = []
    counts = {"images": len(here), "missing": len(remotes) - len(here)}
    for split, names in files.items():
        kept = {number for number, name in names.items() if f"{split}2017/{name}" in here}
        target = incoming.folder / _member(split)
        write_subset(
            archive,
            _member(split),
            target,
            image_ids=kept,
            category_ids=chosen[split].category_ids,
        )
        made.append(incoming.made(target, annotations.url))
        counts[split] = len(kept)
    return incoming.finish(counts, made)


def _request(choice: CocoChoice) -> Request:
    options = {
        "classes": list(choice.classes),
        "splits": dict(choice.per_split) if choice.classes else sorted(choice.per_split),
        "seed": choice.seed if choice.classes else None,
    }
    return Request("coco", COCO, options)


def _member(split: CocoSplit) -> str:
    return f"annotations/instances_{split}2017.json"


def _wanted(name: str, choice: CocoChoice) -> str | None:
    """Keep all pictures, and the object annotations of the chosen splits."""
    is_picture = name.startswith(("train2017/", "val2017/"))
    return name if is_picture or name in map(_member, choice.per_split) else None


def _most_images(choice: CocoChoice) -> int:
    return sum(choice.per_split.values()) * len(choice.classes)


def _archives(choice: CocoChoice, terms: Terms) -> list[RemoteFile]:
    """Return the annotations, and for whole splits the pictures."""
    wanted: Sequence[tuple[str, int, str]] = [ANNOTATIONS]
    if not choice.classes:
        wanted = [ANNOTATIONS, *(PICTURES[split] for split in choice.per_split)]
    return [
        RemoteFile(
            source_name(url.rpartition("/")[2]),
            mirrored(url, terms.mirror),
            size_bytes,
            Checksum("md5", md5),
        )
        for url, size_bytes, md5 in wanted
    ]


def _picture(split: CocoSplit, file_name: str, terms: Terms) -> RemoteFile:
    return RemoteFile(
        f"{split}2017/{file_name}",
        mirrored(f"{SERVER}/{split}2017/{file_name}", terms.mirror),
        MEAN_PICTURE_BYTES,
    )
