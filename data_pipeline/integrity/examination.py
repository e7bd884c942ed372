"""Look at one image or video whole: does it decode, and is it what its annotation says?"""

from pathlib import Path
from typing import cast

import av

from data_pipeline.datasets.dataset import Item, Listed, VideoItem, is_video
from data_pipeline.datasets.picture_names import PICTURES
from data_pipeline.errors import DataError, InvalidDataError, MissingDataError
from data_pipeline.faults import Fault, FaultKind
from data_pipeline.images import image_header
from data_pipeline.integrity.file_endings import is_cut_short
from data_pipeline.integrity.findings import FileFacts
from data_pipeline.integrity.jpeg_damage import is_damaged_jpeg
from data_pipeline.samples import ClipSample
from data_pipeline.video.reading import probe, video_faults
from data_pipeline.video.video_file import CONTAINERS


def examine(item: Listed) -> FileFacts:
    """Decode all that an item names; whatever is wrong becomes a fault."""
    try:
        if is_video(item):
            return _video_facts(item)
        return _picture_facts(cast("Item", item))  # a video or a picture, nothing else
    except DataError as error:
        fault = Fault(_kind(error, item), item.image_id, str(error), "sample")
        return FileFacts(None, faults=(fault,))


def _kind(error: DataError, item: Listed) -> FaultKind:
    if isinstance(error, MissingDataError):
        return "absent"
    if is_video(item) and is_cut_short(item.files[0]):
        return "truncated"
    return error.kind if isinstance(error, InvalidDataError) else "undecodable"


def _picture_facts(item: Item) -> FileFacts:
    sample = item.read()
    pixels = sample.frames[0] if isinstance(sample, ClipSample) else sample.image
    file = item.files[0]
    is_picture = file.suffix[1:].lower() in PICTURES  # else many are packed in one file
    size_hw = (pixels.shape[0], pixels.shape[1])
    if not is_picture:
        return FileFacts(size_hw)
    faults: tuple[Fault, ...] = ()
    if is_damaged_jpeg(file.read_bytes()):
        message = (
            f"image {file} has coded data that cannot be; what a decoder makes of it is used: "
            "look at it, and restore it from the dataset's archive or take it out"
        )
        faults = (Fault("damaged_jpeg", item.image_id, message, "nothing"),)
    return FileFacts(size_hw, image_header(file).is_grey, faults=faults)


def _video_facts(item: VideoItem) -> FileFacts:
    file = item.files[0]
    facts = probe(file)
    faults = list(video_faults(file, item.image_id))
    if is_cut_short(file):
        message = (
            f"video {file} must hold its whole content, got {file.stat().st_size} bytes that end "
            "before it; what it holds is used"
        )
        faults.append(Fault("truncated", item.image_id, message, "nothing"))
    if not _metadata_is_utf8(file):
        message = f"metadata of video {file} must be UTF-8; it is ignored"
        faults.append(Fault("metadata_encoding", item.image_id, message, "nothing"))
    return FileFacts(facts.size_hw, frames=facts.frames, faults=tuple(faults))


def _metadata_is_utf8(file: Path) -> bool:
    """Read title, author and the like strictly; reading frames ignores what is wrong in them."""
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    try:
        with av.open(str(file.absolute()), metadata_errors="strict", options=options):
            return True
    except UnicodeDecodeError:
        return False
