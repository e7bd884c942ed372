"""UCF101: all 13,320 clips and the official lists of its three splits.

    DIR/UCF-101/Basketball/v_Basketball_g01_c01.avi
    DIR/ucfTrainTestlist/classInd.txt, trainlist01.txt, testlist01.txt, …

The authors give the clips as a RAR archive, which some program on this machine must open (see
rar.py); `zip` is a copy of the same clips on Google's storage that needs none.
"""

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from data_pipeline.download.archives import unpack
from data_pipeline.download.checksums import Checksum
from data_pipeline.download.delivery import (
    WORK_FOLDER,
    Delivery,
    Request,
    delivery,
    finished_manifest,
    sized,
    source_name,
)
from data_pipeline.download.licences import UCF101
from data_pipeline.download.progress import Watcher
from data_pipeline.download.rar import INSTALL, plain_files, rar_programs, unpack_rar
from data_pipeline.download.remote_file import RemoteFile, mirrored
from data_pipeline.download.terms import Outcome, Plan, Terms
from data_pipeline.download.whole_archives import plan_of_archives
from data_pipeline.paths import safe_path

Archive = Literal["rar", "zip"]
# Address, bytes, checksum; the RAR archive's has never been published.
LISTS = (
    "https://www.crcv.ucf.edu/data/UCF101/UCF101TrainTestSplits-RecognitionTask.zip",
    113_943,
    Checksum("sha256", "5c0d1a53b8ed364a2ac830a73f405e51bece7d98ce1254fd19ed4a36b224bd27"),
)
CLIPS: Mapping[Archive, tuple[str, int, Checksum | None]] = {
    "rar": ("https://www.crcv.ucf.edu/data/UCF101/UCF101.rar", 6_932_971_618, None),
    "zip": (
        "https://storage.googleapis.com/thumos14_files/UCF101_videos.zip",
        6_960_400_115,
        Checksum("sha256", "dabf56f573cd19c79e096563529fec8126a2a34e18e10c72eb621dd687532b0d"),
    ),
}
LIST_FILE = re.compile(r"classInd\.txt|(train|test)list0[123]\.txt")
LIST_FOLDER, CLIP_FOLDER = "ucfTrainTestlist", "UCF-101"


@dataclass(frozen=True, slots=True)
class Ucf101Choice:
    """What of UCF101 to fetch."""

    archive: Archive = "rar"


def plan(choice: Ucf101Choice, terms: Terms) -> Plan:
    """Say what `download` would fetch; asks the servers for sizes only.

    Raises:
        DataError: The folder holds another dataset.
    """
    if finished_manifest(terms.folder, _request()) is not None:
        return Plan(0, 0, "everything is there")
    return plan_of_archives(_archives(choice, terms), terms)


def download(choice: Ucf101Choice, terms: Terms, watcher: Watcher) -> Outcome:
    """Fetch and unpack clips and lists; does nothing where they are.

    Raises:
        UnpackError: No program here opens the archive, which is kept.
        DataError: Something could not be fetched; the same call goes on.
    """
    with delivery(_request(), terms, watcher) as incoming:
        if incoming.finished is not None:
            return Outcome(incoming.finished, files=0, size_bytes=0, was_complete=True)
        if choice.archive == "rar" and not rar_programs():
            incoming.say(f"no program here opens RAR archives yet; meanwhile {INSTALL}")
        lists, clips = sized(_archives(choice, terms), terms)
        incoming.require_room([lists, clips], more_bytes=clips.size_bytes)
        list_files = unpack(incoming.source(lists), incoming.folder, _list_place)
        places = clip_places(list_files)
        archive = incoming.source(clips)
        incoming.say(f"unpacking {archive.name}")
        if choice.archive == "zip":
            clip_files = unpack(archive, incoming.folder, lambda name: places.get(_key(name)))
        else:
            clip_files = _unpacked_rar(incoming, archive, places)
        incoming.require_enough(len(clip_files), len(places))
        made = [incoming.made(file, lists.url) for file in list_files]
        made += [incoming.made(file, clips.url) for file in clip_files]
        counts = {"clips": len(clip_files), "missing": len(places) - len(clip_files)}
        outcome = incoming.finish(counts, made)
        incoming.remove_archives()
        return outcome


def clip_places(list_files: Iterable[Path]) -> dict[str, str]:
    """Return where each listed clip goes, by its file name in small letters.

    The lists say HandstandPushups/v_HandStandPushups_…; archives write either.
    """
    places = {}
    for file in list_files:
        if file.name == "classInd.txt":
            continue
        for line in file.read_text(encoding="utf-8").splitlines():
            name = line.split(" ")[0].strip()
            if name:
                places[_key(name)] = f"{CLIP_FOLDER}/{name}"
    return places


def _key(name: str) -> str:
    return PurePosixPath(name).name.casefold()


def _list_place(name: str) -> str | None:
    file = PurePosixPath(name).name
    return f"{LIST_FOLDER}/{file}" if LIST_FILE.fullmatch(file) else None


def _unpacked_rar(incoming: Delivery, archive: Path, places: Mapping[str, str]) -> list[Path]:
    """Unpack to a folder apart, then take the listed clips out of it and nothing else."""
    apart = incoming.folder / WORK_FOLDER / "unpacked"
    try:
        unpack_rar(archive, apart)
        files = []
        for clip in plain_files(apart):
            place = places.get(_key(clip.name))
            if place is not None:
                target = safe_path(incoming.folder, place)
                target.parent.mkdir(parents=True, exist_ok=True)
                files.append(clip.replace(target))
        return files
    finally:
        shutil.rmtree(apart, ignore_errors=True)


def _request() -> Request:
    return Request("ucf101", UCF101, {})


def _archives(choice: Ucf101Choice, terms: Terms) -> list[RemoteFile]:
    """Return the lists and the clips."""
    return [
        RemoteFile(
            source_name(url.rpartition("/")[2]), mirrored(url, terms.mirror), size_bytes, checksum
        )
        for url, size_bytes, checksum in (LISTS, CLIPS[choice.archive])
    ]
