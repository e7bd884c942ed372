"""Is a JPEG's coded data whole? Most decoders fill what is destroyed with grey, and say nothing.

Told by a strict decoder (FFmpeg's, which stops at the first impossible code). Only kinds that it
decodes in full are judged: baseline and progressive, 8 bits, one or three components. Damage
that happens to be valid code is not seen.
"""

import av

START, END_OF_HEADERS = b"\xff\xd8", 0xDA  # ITU-T T.81, table B.1: SOI, SOS
JUDGED_FRAMES = (0xC0, 0xC1, 0xC2)  # SOF0 to SOF2: baseline, extended, progressive; Huffman
STRICT = {"err_detect": "explode+bitstream+buffer"}


def is_damaged_jpeg(content: bytes) -> bool:
    """Tell whether a JPEG file's content has codes that cannot be; False for any other file."""
    if not _is_judged(content):
        return False
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.options = STRICT
    decoder.thread_count = 1
    try:
        return not [*decoder.decode(av.Packet(content)), *decoder.decode(None)]
    except av.FFmpegError:
        return True


def _is_judged(content: bytes) -> bool:
    """Read the segments before the coded data: length, bits and components of the frame."""
    if not content.startswith(START):
        return False
    place = len(START)
    while place + 10 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker in JUDGED_FRAMES:
            bits, components = content[place + 4], content[place + 9]
            return bits == 8 and components in (1, 3)
        if marker == END_OF_HEADERS:
            return False
        is_filling = marker == 0xFF
        place += 1 if is_filling else 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return False
