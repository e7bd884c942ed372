"""The files of an annotation index: records as lines, and what is in them as arrays.

    <folder>/records.jsonl   a line per image
    <folder>/tables.npz      ids, file names, where lines lie, what classes images have
    <folder>/about.json      source, classes, faults, size of the records; written last

No pickle: nothing in it can run. A folder is written whole under another name and renamed.
"""

import json
import os
import zipfile
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.annotated import unsafe_name
from data_pipeline.datasets.record_lines import from_line, to_line
from data_pipeline.datasets.records import ImageRecord, uses_by_class
from data_pipeline.errors import InvalidDataError
from data_pipeline.faults import Fault, bounded

VERSION = 2  # of these files; another one is not read
RECORDS, TABLES, ABOUT = "records.jsonl", "tables.npz", "about.json"


class BrokenIndexError(Exception):
    """The folder is no whole index of this version."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """Where a record's line lies; small, and may be sent to another process."""

    file: Path
    start: int  # bytes
    end: int
    checksum: int  # CRC-32 of the line

    def record(self) -> ImageRecord:
        """Read and check the line.

        Raises:
            InvalidDataError: The index was deleted or damaged since it was opened.
        """
        try:
            with self.file.open("rb") as stream:
                stream.seek(self.start)
                line = stream.read(self.end - self.start)
            if zlib.crc32(line) != self.checksum:
                raise ValueError("another checksum")
            return from_line(line)
        except (OSError, ValueError) as error:
            raise InvalidDataError(
                f"annotation index {self.file.parent} must be as it was written, got {error}; "
                "delete that folder and start again, it is made anew"
            ) from error


@dataclass(frozen=True, slots=True)
class Texts:
    """Many texts in one array."""

    characters: bytes
    ends: NDArray[np.int64]  # (n,) bytes

    def at(self, places: NDArray[np.int64]) -> list[str]:
        """Return the texts of these places."""
        starts = np.concatenate([[0], self.ends[:-1]])[places].tolist()
        ends = self.ends[places].tolist()
        return [
            self.characters[start:end].decode("utf-8", "surrogatepass")
            for start, end in zip(starts, ends, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Index:
    """What is in memory of an open index; n images, m pairs of an image and a class it has."""

    folder: Path
    classes: tuple[str, ...]  # that occur, unknown ones too
    faults: tuple[Fault, ...]
    image_ids: Texts
    file_names: Texts
    ends: NDArray[np.int64]  # (n,) of the lines, bytes
    checksums: NDArray[np.uint32]  # (n,)
    pair_images: NDArray[np.int32]  # (m,) ascending
    pair_classes: NDArray[np.int32]  # (m,) places in `classes`
    pair_uses: NDArray[np.uint8]  # (m,) bits of records.USES

    def places(self, images: NDArray[np.int64]) -> list[StoredRecord]:
        """Return where the records of these images lie."""
        file = self.folder / RECORDS
        starts = np.concatenate([[0], self.ends[:-1]])[images].tolist()
        ends, sums = self.ends[images].tolist(), self.checksums[images].tolist()
        return [StoredRecord(file, *place) for place in zip(starts, ends, sums, strict=True)]


def write_index(folder: Path, records: Iterable[ImageRecord | Fault], *, source: str = "") -> None:
    """Write an index into a new folder, in memory of some dozen bytes per image.

    Args:
        folder: Must not be there.
        records: All of them, with the faults found among them.
        source: What the records are from; an index of the same source may replace this one.

    Raises:
        OSError: The disk is full or may not be written.
        DataError: The records cannot be parsed.
    """
    folder.mkdir(parents=True)
    tables = _Tables()
    with (folder / RECORDS).open("wb") as stream:
        faults = bounded(_written(records, stream, tables))
        size = stream.tell()
        _flush(stream)
    with (folder / TABLES).open("wb") as stream:
        np.savez(stream, allow_pickle=False, **tables.arrays())
        _flush(stream)
    about = {
        "version": VERSION,
        "source": source,
        "records_bytes": size,
        "classes": list(tables.classes),
        "faults": [asdict(fault) for fault in faults],
    }
    with (folder / ABOUT).open("wb") as stream:
        stream.write(json.dumps(about).encode())
        _flush(stream)


def _written(
    records: Iterable[ImageRecord | Fault], stream: IO[bytes], tables: "_Tables"
) -> Iterator[Fault]:
    """Write the records and pass the faults on."""
    for record in records:
        if isinstance(record, Fault):
            yield record
        elif (fault := unsafe_name(record)) is not None:
            yield fault
        else:
            line = to_line(record)
            stream.write(line)
            tables.add(record, line)


def _flush(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())


class _Tables:
    """What is known of the records written so far."""

    def __init__(self) -> None:
        self.classes: dict[str, int] = {}
        self._texts = {"image_ids": bytearray(), "file_names": bytearray()}
        self._numbers = {
            name: array(code)
            for name, code in (
                ("image_ids_ends", "q"),
                ("file_names_ends", "q"),
                ("ends", "q"),
                ("checksums", "I"),
                ("pair_images", "i"),
                ("pair_classes", "i"),
                ("pair_uses", "B"),
            )
        }

    def add(self, record: ImageRecord, line: bytes) -> None:
        numbers = self._numbers
        image = len(numbers["ends"])
        numbers["ends"].append((numbers["ends"][-1] if image else 0) + len(line))
        numbers["checksums"].append(zlib.crc32(line))
        for name, text in (("image_ids", record.image_id), ("file_names", record.file_name)):
            self._texts[name] += text.encode("utf-8", "surrogatepass")
            numbers[f"{name}_ends"].append(len(self._texts[name]))
        for name, use in uses_by_class(record).items():
            numbers["pair_images"].append(image)
            numbers["pair_classes"].append(self.classes.setdefault(name, len(self.classes)))
            numbers["pair_uses"].append(use)

    def arrays(self) -> dict[str, NDArray[Any]]:
        texts = {name: np.frombuffer(bytes(t), dtype=np.uint8) for name, t in self._texts.items()}
        return texts | {
            name: np.frombuffer(numbers, dtype=numbers.typecode)
            for name, numbers in self._numbers.items()
        }


def source_of(folder: Path) -> str | None:
    """Return what an index was made from; None where it does not say."""
    try:
        source = json.loads((folder / ABOUT).read_bytes())["source"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return source if isinstance(source, str) else None


def open_index(folder: Path) -> Index:
    """Read the tables of an index.

    Raises:
        BrokenIndexError: It is not there, torn, of another version, or something else.
    """
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        with (
            (folder / TABLES).open("rb") as stream,  # numpy forgets to close what it cannot read
            np.load(stream, allow_pickle=False) as stored,
        ):
            tables = {name: stored[name] for name in stored.files}
        index = _checked(folder, about, tables)
        if (folder / RECORDS).stat().st_size != about["records_bytes"]:
            raise ValueError("records of another size")
    except (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise BrokenIndexError(f"{folder}: {error}") from error
    return index


def _checked(folder: Path, about: Mapping[str, Any], tables: dict[str, NDArray[Any]]) -> Index:
    if about["version"] != VERSION:
        raise ValueError(f"version {about['version']}, not {VERSION}")
    index = Index(
        folder=folder,
        classes=tuple(about["classes"]),
        faults=tuple(Fault(**fault) for fault in about["faults"]),
        image_ids=Texts(tables["image_ids"].tobytes(), tables["image_ids_ends"]),
        file_names=Texts(tables["file_names"].tobytes(), tables["file_names_ends"]),
        ends=tables["ends"],
        checksums=tables["checksums"],
        pair_images=tables["pair_images"],
        pair_classes=tables["pair_classes"],
        pair_uses=tables["pair_uses"],
    )
    images, pairs = len(index.ends), len(index.pair_images)
    lengths = (len(index.image_ids.ends), len(index.file_names.ends), len(index.checksums))
    if lengths != (images,) * 3 or (len(index.pair_classes), len(index.pair_uses)) != (pairs,) * 2:
        raise ValueError("tables of different lengths")
    if images and index.ends[-1] != about["records_bytes"]:
        raise ValueError("tables of other records")
    return index
