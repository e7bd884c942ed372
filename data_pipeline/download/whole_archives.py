"""Datasets that come as a few archives and are used as they are."""

from collections.abc import Callable, Sequence

from data_pipeline.download.archives import unpack
from data_pipeline.download.delivery import Delivery, sized
from data_pipeline.download.journal import HeldFile
from data_pipeline.download.remote_file import RemoteFile
from data_pipeline.download.terms import Plan, Terms


def plan_of_archives(archives: Sequence[RemoteFile], terms: Terms) -> Plan:
    """Say which of the archives would be fetched."""
    lacking = [archive for archive in archives if not (terms.folder / archive.name).exists()]
    size_bytes = sum(archive.size_bytes for archive in sized(lacking, terms))
    return Plan(len(lacking), size_bytes, "archives; unpacked they need about as much again")


def unpack_sources(
    incoming: Delivery, archives: Sequence[RemoteFile], target_of: Callable[[str], str | None]
) -> list[HeldFile]:
    """Fetch archives one after the other and unpack each; `target_of` is that of `unpack`."""
    made: list[HeldFile] = []
    for archive in archives:
        file = incoming.source(archive)
        incoming.say(f"unpacking {file.name}")
        made += (
            incoming.made(each, archive.url) for each in unpack(file, incoming.folder, target_of)
        )
    return made
