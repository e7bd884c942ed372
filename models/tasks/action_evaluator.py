"""Scores a network on the videos of a split, whose clips come batch by batch.

The clips of a video, its views and crops, are added up as they come, in whichever batches; what
is kept of a video does not grow with their number.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.divergence import require_finite
from models.metrics.actions import ScoredVideos, action_metrics
from models.metrics.names import TOP
from models.metrics.top_k import credit
from models.tasks.action_files import save_split
from models.tasks.action_strips import ActionProbe, frames_of, save_action_strip
from models.tasks.clips import ClipBatch

PROBES = 6  # videos in the picture of predictions, each of another class


@dataclass(slots=True)
class _Sums:
    """What the clips of a video add up to."""

    label: int
    probabilities: NDArray[np.float64]  # (classes,)
    clips: int = 0
    scores: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))  # loss, top 1, top 5

    @classmethod
    def none_of(cls, other: "_Sums") -> "_Sums":
        """Start the sums of a video that another evaluator has seen."""
        return cls(other.label, np.zeros_like(other.probabilities))


@dataclass(frozen=True, slots=True)
class ActionState:
    """What was kept of some clips, as the evaluator has it."""

    videos: dict[str, _Sums]
    frames: dict[str, Tensor]


class ActionEvaluator:
    """Sums by video.

    Args:
        decide: Runs a model on a batch; losses (b,) and probabilities (b, classes).
        class_names: In label order.
        is_saved: Whether `save` follows; then frames for the picture are kept.
    """

    def __init__(
        self,
        decide: Callable[[nn.Module, ClipBatch], tuple[Tensor, Tensor]],
        class_names: Sequence[str],
        *,
        is_saved: bool,
    ) -> None:
        self._decide = decide
        self._class_names = tuple(class_names)
        self._is_saved = is_saved
        self._videos: dict[str, _Sums] = {}  # by id, in the order they came
        self._frames: dict[str, Tensor] = {}  # id -> (frames, h, w, 3) of the first clip

    def update(self, model: nn.Module, batch: ClipBatch) -> None:
        """Predict a batch and add it up; of each class's first video, keep frames to draw.

        Raises:
            Diverged: what the model says is not finite.
        """
        losses, probabilities = self._decide(model, batch)
        require_finite(losses, "the loss of every clip that is scored")
        require_finite(probabilities, "every probability that is scored")
        top1, top5 = (credit(probabilities, batch.labels, k) for k in (1, TOP))
        scores = torch.stack([losses.double(), top1, top5], dim=1).cpu().numpy()
        values, labels = probabilities.double().cpu().numpy(), batch.labels.tolist()
        for row, video_id in enumerate(batch.video_ids):
            if video_id not in self._videos:
                self._start(video_id, labels[row], batch.clips[row])
            video = self._videos[video_id]
            video.probabilities += values[row]
            video.scores += scores[row]
            video.clips += 1

    def state(self) -> "ActionState":
        """Return all that was kept so far."""
        return ActionState(self._videos, self._frames)

    def add(self, state: "ActionState") -> None:
        """Take in what another evaluator kept of the clips that follow."""
        for video_id, more in state.videos.items():
            drawn = {self._videos[each].label for each in self._frames}
            video = self._videos.setdefault(video_id, _Sums.none_of(more))
            video.probabilities += more.probabilities
            video.scores += more.scores
            video.clips += more.clips
            if video_id in state.frames and more.label not in drawn and len(drawn) < PROBES:
                self._frames[video_id] = state.frames[video_id]

    def compute(self) -> dict[str, float]:
        """Return the metrics that docs/metrics.md defines."""
        return action_metrics(self.videos())

    def save(self, folder: Path, split: str) -> dict[str, str]:
        """Write what `action_files` lists and, of validation, a picture of some videos."""
        videos = self.videos()
        files = save_split(folder, split, videos)
        if split == "val":
            files["predictions_strip"] = "predictions_strip.png"
            save_action_strip(
                folder / files["predictions_strip"], self._probes(videos), videos.class_names
            )
        return files

    def videos(self) -> ScoredVideos:
        """Return what was added up so far.

        Raises:
            ValueError: no clip was seen.
        """
        if not self._videos:
            raise ValueError("a split must hold a video to be scored, got none; check data.limit")
        sums = list(self._videos.values())
        clips = np.array([video.clips for video in sums], np.int64)
        losses, top1, top5 = (np.stack([video.scores for video in sums]) / clips[:, None]).T
        probabilities = np.stack([video.probabilities for video in sums]) / clips[:, None]
        return ScoredVideos(
            self._class_names,
            np.array([video.label for video in sums], np.int64),
            probabilities.astype(np.float32),  # as they are saved, so that these score the same
            losses,
            video_ids=tuple(self._videos),
            clips=clips,
            clip_top1=top1,
            clip_top5=top5,
        )

    def _start(self, video_id: str, label: int, clip: Tensor) -> None:
        drawn = {self._videos[each].label for each in self._frames}
        self._videos[video_id] = _Sums(label, np.zeros(len(self._class_names)))
        if self._is_saved and label not in drawn and len(drawn) < PROBES:
            self._frames[video_id] = frames_of(clip)

    def _probes(self, videos: ScoredVideos) -> list[ActionProbe]:
        rows = {video_id: row for row, video_id in enumerate(videos.video_ids)}
        return [
            ActionProbe(
                video_id,
                frames.numpy(),
                int(videos.labels[rows[video_id]]),
                videos.probabilities[rows[video_id]],
            )
            for video_id, frames in self._frames.items()
        ]
