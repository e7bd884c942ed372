"""Does a video file end where its content does? Told from its lengths; decodes nothing.

Known here: AVI and the MP4 family. Of any other file it is taken that it does.
"""

import io
from pathlib import Path
from typing import BinaryIO

MOST_BOXES = 10_000  # a sound file has a handful
LONG = 1  # a box of MP4 whose length is in the next 8 bytes


def is_cut_short(file: Path) -> bool:
    """Tell whether a video ends before its content does.

    Raises:
        OSError: It cannot be opened.
    """
    with file.open("rb") as stream:
        head = stream.read(12)
        size = stream.seek(0, io.SEEK_END)
        if head.startswith(b"RIFF"):
            return 8 + int.from_bytes(head[4:8], "little") > size
        if head[4:8] == b"ftyp":
            return _last_box_ends(stream) > size
    return False


def _last_box_ends(stream: BinaryIO) -> int:
    """Return where the last box of an MP4 file says that it ends; ISO 14496-12, 4.2."""
    start = 0
    for _ in range(MOST_BOXES):
        stream.seek(start)
        header = stream.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == LONG:
            length = int.from_bytes(header[8:16], "big")
        if len(header) < 8 or length < 8:  # the end, or a box of unknown length
            break
        start += length
    return start
