"""Open Images: so many images of each chosen class, out of the nine million.

Of the official lists only rows are kept: boxes of the chosen classes (all of them, also a second
chosen class in an image chosen for the first), and the image list's rows with author, licence
and rotation. An image counts for a class if it has a box of it that is not a group. The result
has the official layout, cut into training and validation:

    DIR/class-descriptions-boxable.csv            the chosen classes
    DIR/train-annotations-bbox.csv                DIR/validation-annotations-bbox.csv
    DIR/train-images-boxable-with-rotation.csv    DIR/validation-images-with-rotation.csv
    DIR/train/ID.jpg                              DIR/validation/ID.jpg

Addresses: the dataset's download page; pictures from CVDF's bucket, at most 1024 pixels wide.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from data_pipeline.datasets.open_images_boxes import class_names_in
from data_pipeline.download.delivery import (
    Delivery,
    Request,
    delivery,
    finished_manifest,
    sized,
    source_name,
)
from data_pipeline.download.journal import HeldFile
from data_pipeline.download.licences import OPEN_IMAGES
from data_pipeline.download.open_images_rows import (
    GROUP,
    IMAGE_ID,
    LABEL,
    Table,
    open_table,
    write_parts,
)
from data_pipeline.download.progress import Watcher
from data_pipeline.download.remote_file import RemoteFile, mirrored
from data_pipeline.download.sampling import SPLITS, Split, SplitSample
from data_pipeline.download.terms import Outcome, Plan, Terms
from data_pipeline.errors import InvalidDataError, UnknownClassError, unknown_name
from data_pipeline.hashing import write_whole

LISTS = "https://storage.googleapis.com/openimages"
PICTURES = "https://open-images-dataset.s3.amazonaws.com"
CLASS_LIST = (f"{LISTS}/v5/class-descriptions-boxable.csv", 12_011)
# Official split to (address, bytes); the first as its server says, the others rounded.
BOXES: Mapping[str, tuple[str, int]] = {
    "train": (f"{LISTS}/v6/oidv6-train-annotations-bbox.csv", 2_258_447_590),
    "validation": (f"{LISTS}/v5/validation-annotations-bbox.csv", 25_000_000),
    "test": (f"{LISTS}/v5/test-annotations-bbox.csv", 77_000_000),
}
IMAGE_LISTS: Mapping[str, tuple[str, int]] = {
    "train": (f"{LISTS}/2018_04/train/train-images-boxable-with-rotation.csv", 640_000_000),
    "validation": (f"{LISTS}/2018_04/validation/validation-images-with-rotation.csv", 16_000_000),
    "test": (f"{LISTS}/2018_04/test/test-images-with-rotation.csv", 48_000_000),
}
MEAN_PICTURE_BYTES = 300_000  # 513 GB of training pictures are 1.74 million
WRITTEN_IMAGE_LISTS: Mapping[str, str] = {
    "train": "train-images-boxable-with-rotation.csv",
    "validation": "validation-images-with-rotation.csv",
}


@dataclass(frozen=True, slots=True)
class OpenImagesChoice:
    """What of Open Images to fetch."""

    classes: tuple[str, ...]  # display names, such as "Traffic light"
    per_class: int  # images
    train_share: float = 0.8  # the rest is validation
    official_split: Literal["train", "validation", "test"] = "train"  # where images are taken from
    seed: int = 0


def plan(choice: OpenImagesChoice, terms: Terms) -> Plan:
    """Say what `download` would fetch; asks the servers for sizes only.

    Raises:
        DataError: The folder holds another dataset.
    """
    if finished_manifest(terms.folder, _request(choice)) is not None:
        return Plan(0, 0, "everything is there")
    lacking = [
        remote for remote in _lists(choice, terms) if not (terms.folder / remote.name).exists()
    ]
    images = choice.per_class * len(choice.classes)
    size_bytes = sum(remote.size_bytes for remote in sized(lacking, terms))
    return Plan(
        files=len(lacking) + images,
        size_bytes=size_bytes + images * MEAN_PICTURE_BYTES,
        note=f"{len(lacking)} lists, and at most {images} images of about 0.3 MB",
    )


def download(choice: OpenImagesChoice, terms: Terms, watcher: Watcher) -> Outcome:
    """Fetch the images and lists of a choice; does nothing where they are.

    Raises:
        UnknownClassError: A class that Open Images has no boxes of.
        DataError: Something could not be fetched; the same call goes on.
    """
    with delivery(_request(choice), terms, watcher) as incoming:
        if incoming.finished is not None:
            return Outcome(incoming.finished, files=0, size_bytes=0, was_complete=True)
        lists = sized(_lists(choice, terms), terms)
        most_images = choice.per_class * len(choice.classes)
        incoming.require_room(lists, more_bytes=most_images * MEAN_PICTURE_BYTES)
        class_list, boxes, image_list = lists
        labels = chosen_labels(incoming.source(class_list), choice.classes)
        box_table = open_table(incoming.source(boxes))
        image_table = open_table(incoming.source(image_list))
        incoming.say(f"choosing images from {box_table.file.name}")
        chosen = chosen_images(box_table, labels, choice)
        here = incoming.fetch(
            [
                _picture(image_id, split, choice, terms=terms)
                for image_id, split in sorted(chosen.items())
            ]
        )
        present = {Path(remote.name).stem for remote in here}
        kept = {image_id: split for image_id, split in chosen.items() if image_id in present}
        made = _write_lists(incoming, labels, kept, boxes=box_table, images=image_table)
        return incoming.finish(_counts(chosen, kept), made)


def chosen_labels(class_list: Path, classes: Collection[str]) -> dict[str, str]:
    """Return the labels, such as /m/01g317, of the chosen display names.

    Raises:
        UnknownClassError: A name is not in the list.
    """
    label_of = {name: label for label, name in class_names_in(class_list).items()}
    for name in classes:
        if name not in label_of:
            raise UnknownClassError(unknown_name("class", name, tuple(label_of)))
    return {label_of[name]: name for name in classes}


def chosen_images(
    boxes: Table, labels: Mapping[str, str], choice: OpenImagesChoice
) -> dict[str, Split]:
    """Choose images by the boxes in them, and say in which split each comes."""
    image_id, label, group = (boxes.column(name) for name in (IMAGE_ID, LABEL, GROUP))
    sample = SplitSample(
        labels, choice.per_class, train_share=choice.train_share, seed=choice.seed
    )
    for row in boxes.rows():
        if row[label] in labels and row[group] != "1":
            sample.offer(row[label], row[image_id])
    return sample.chosen()


def _request(choice: OpenImagesChoice) -> Request:
    return Request("open-images", OPEN_IMAGES, asdict(choice) | {"classes": list(choice.classes)})


def _lists(choice: OpenImagesChoice, terms: Terms) -> list[RemoteFile]:
    """Return the lists of classes, boxes and images."""
    wanted = (CLASS_LIST, BOXES[choice.official_split], IMAGE_LISTS[choice.official_split])
    return [
        RemoteFile(source_name(url.rpartition("/")[2]), mirrored(url, terms.mirror), size_bytes)
        for url, size_bytes in wanted
    ]


def _picture(image_id: str, split: Split, choice: OpenImagesChoice, *, terms: Terms) -> RemoteFile:
    if not image_id.isalnum():
        raise InvalidDataError(
            f"an image id must be letters and digits, got {image_id!r} in the list of boxes; "
            "remove the list to fetch it again"
        )
    url = f"{PICTURES}/{choice.official_split}/{quote(image_id)}.jpg"
    return RemoteFile(f"{split}/{image_id}.jpg", mirrored(url, terms.mirror), MEAN_PICTURE_BYTES)


def _write_lists(
    incoming: Delivery,
    labels: Mapping[str, str],
    kept: Mapping[str, Split],
    *,
    boxes: Table,
    images: Table,
) -> list[HeldFile]:
    """Write the rows that belong to the images there are."""
    folder = incoming.folder
    class_file = folder / "class-descriptions-boxable.csv"
    write_whole(class_file, "".join(f"{label},{name}\n" for label, name in labels.items()))
    every_box_file = {split: folder / f"{split}-annotations-bbox.csv" for split in SPLITS}
    every_image_file = {split: folder / WRITTEN_IMAGE_LISTS[split] for split in SPLITS}
    for split in SPLITS:  # a split without images, also one of earlier options, has no lists
        every_box_file[split].unlink(missing_ok=True)
        every_image_file[split].unlink(missing_ok=True)
    present = [split for split in SPLITS if split in kept.values()]
    box_files = {split: every_box_file[split] for split in present}
    image_files = {split: every_image_file[split] for split in present}
    box_id, label, image_id = boxes.column(IMAGE_ID), boxes.column(LABEL), images.column(IMAGE_ID)
    write_parts(
        boxes, box_files, lambda row: kept.get(row[box_id]) if row[label] in labels else None
    )
    write_parts(images, image_files, lambda row: kept.get(row[image_id]))
    origin = {file: boxes.file.name for file in box_files.values()}
    origin |= {file: images.file.name for file in image_files.values()}
    return [
        incoming.made(file, source_name(name))
        for file, name in {class_file: class_file.name, **origin}.items()
    ]


def _counts(chosen: Mapping[str, Split], kept: Mapping[str, Split]) -> dict[str, int]:
    splits = list(kept.values())
    return {
        "images": len(kept),
        "missing": len(chosen) - len(kept),
        **{split: splits.count(split) for split in SPLITS},
    }
