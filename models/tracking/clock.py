"""Which frame a tracker is at."""


class Clock:
    """Counts the frames that pass between the steps of a tracker."""

    def __init__(self) -> None:
        self.steps = 0
        self._last: int | None = None

    def tick(self, frame_index: int) -> int:
        """Go to a frame; return how many frames passed since the last step, at least 1.

        Raises:
            ValueError: The frame is not after that of the last step.
        """
        last = self._last
        if last is not None and frame_index <= last:
            raise ValueError(
                f"frame_index must be after that of the last step, {last}, got {frame_index}; "
                "give frames in order, and each video a tracker of its own"
            )
        self._last = frame_index
        self.steps += 1
        return 1 if last is None else frame_index - last
