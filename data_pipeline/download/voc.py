"""PASCAL VOC 2007 and 2012: the official archives, unpacked to DIR/VOCdevkit/VOC2007 and so on.

Of 2007 there are training, validation and test with annotations, of 2012 training and validation
(the annotations of its test were never given out).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from data_pipeline.download.checksums import Checksum
from data_pipeline.download.delivery import (
    Request,
    delivery,
    finished_manifest,
    sized,
    source_name,
)
from data_pipeline.download.licences import VOC
from data_pipeline.download.progress import Watcher
from data_pipeline.download.remote_file import RemoteFile, mirrored
from data_pipeline.download.terms import Outcome, Plan, Terms
from data_pipeline.download.whole_archives import plan_of_archives, unpack_sources

SERVER = "https://thor.robots.ox.ac.uk/pascal/VOC"
# Year to (address, bytes, MD5); the sums are those that torchvision checks.
ARCHIVES: Mapping[int, tuple[tuple[str, int, str], ...]] = {
    2007: (
        (
            f"{SERVER}/voc2007/VOCtrainval_06-Nov-2007.tar",
            460_032_000,
            "c52e279531787c972589f7e41ab4ae64",
        ),
        (
            f"{SERVER}/voc2007/VOCtest_06-Nov-2007.tar",
            451_020_800,
            "b6e924de25625d8de591ea690078ad9f",
        ),
    ),
    2012: (
        (
            f"{SERVER}/voc2012/VOCtrainval_11-May-2012.tar",
            1_999_639_040,
            "6cd6e144f989b92b3379bac3b3de84fd",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class VocChoice:
    """What of PASCAL VOC to fetch."""

    years: tuple[int, ...]  # 2007, 2012


def plan(choice: VocChoice, terms: Terms) -> Plan:
    """Say what `download` would fetch; asks the servers for sizes only.

    Raises:
        DataError: The folder holds another dataset.
    """
    if finished_manifest(terms.folder, _request(choice)) is not None:
        return Plan(0, 0, "everything is there")
    return plan_of_archives(_archives(choice, terms), terms)


def download(choice: VocChoice, terms: Terms, watcher: Watcher) -> Outcome:
    """Fetch and unpack the archives of a choice; does nothing where their content is.

    Raises:
        DataError: Something could not be fetched or unpacked; the same call goes on.
    """
    with delivery(_request(choice), terms, watcher) as incoming:
        if incoming.finished is not None:
            return Outcome(incoming.finished, files=0, size_bytes=0, was_complete=True)
        archives = sized(_archives(choice, terms), terms)
        incoming.require_room(archives, more_bytes=sum(a.size_bytes for a in archives))
        made = unpack_sources(incoming, archives, lambda name: name)
        pictures = sum(held.name.endswith(".jpg") for held in made)
        outcome = incoming.finish({"images": pictures}, made)
        incoming.remove_archives()
        return outcome


def _request(choice: VocChoice) -> Request:
    return Request("voc", VOC, {"years": sorted(choice.years)})


def _archives(choice: VocChoice, terms: Terms) -> list[RemoteFile]:
    return [
        RemoteFile(
            source_name(url.rpartition("/")[2]),
            mirrored(url, terms.mirror),
            size_bytes,
            Checksum("md5", md5),
        )
        for year in sorted(choice.years)
        for url, size_bytes, md5 in ARCHIVES[year]
    ]
