"""Which frames of a clip a network looks at that does not see them all; torch-free."""


def evenly_spaced(frames: int, count: int) -> list[int]:
    """Return the middles of so many equal parts of a clip; backwards, it has the same.

    Args:
        frames: Of the clip; odd if `count` is, for there to be a frame in the middle.
        count: At most as many.
    """
    first = [(2 * part + 1) * frames // (2 * count) for part in range(count // 2)]
    middle = [frames // 2] if count % 2 else []
    return [*first, *middle, *(frames - 1 - index for index in reversed(first))]


def in_the_middle(frames: int, count: int, stride: int) -> list[int]:
    """Return so many frames of a clip, `stride` apart, in its middle."""
    span = (count - 1) * stride + 1
    start = (frames - span) // 2
    return list(range(start, start + span, stride))
