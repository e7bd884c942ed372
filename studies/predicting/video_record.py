"""`prediction.json` of a video: what was found, by what, from what; written last."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_pipeline.video.streaming import StreamFacts
from studies.predicting.outputs import delete_files, write_file
from studies.predicting.record import OtherPredictionsError, described, stamp, versions
from studies.predicting.video_files import RECORD, VideoFile
from studies.predicting.video_wishes import Cast, VideoWishes

FORMAT = 1


@dataclass(slots=True)
class VideoRecord:
    """The record of one video."""

    video: VideoFile
    made_by: dict[str, Any]  # what makes a prediction what it is
    content: dict[str, Any] = field(default_factory=dict)  # {}: nothing is predicted yet

    @property
    def is_complete(self) -> bool:
        """Whether the video, as it is now, was predicted to its end."""
        return (
            bool(self.content)
            and self.content["stamp"] == stamp(self.video.file)
            and not self.content["was_stopped"]
            and all(
                (self.video.folder / file).is_file() for file in self.content["files"].values()
            )
        )

    @property
    def frames(self) -> int:
        """How many frames were written."""
        return int(self.content.get("frames", 0))

    @property
    def was_stopped(self) -> bool:
        """Whether somebody stopped it before the end."""
        return bool(self.content.get("was_stopped", False))

    @property
    def note(self) -> str | None:
        """What is not as it should be; None: nothing."""
        said: str | None = self.content.get("note")
        return said

    def forget(self) -> None:
        """Delete what was written before, so that nothing half new looks whole."""
        files = self.content.get("files", {}).values()
        delete_files(self.video.folder, [RECORD, *files])
        self.content = {}

    def add(self, facts: StreamFacts, note: str | None, **found: Any) -> None:  # noqa: ANN401  # as JSON has it
        """Note what was found of a video."""
        height, width = facts.size_hw
        stopped = f"stopped after frame {found['frames'] - 1}" if found["was_stopped"] else None
        self.content = {
            "format": FORMAT,
            "source": str(self.video.file),
            "stamp": stamp(self.video.file),
            "made_by": self.made_by,
            "width": width,
            "height": height,
            "frames_per_second": float(facts.rate),
            "note": "; ".join(each for each in (stopped, note) if each) or None,
            **found,
            "versions": versions(),
        }

    def save(self) -> None:
        """Write the file, whole or not at all."""
        text = json.dumps(self.content, indent=2, ensure_ascii=False) + "\n"
        write_file(self.video.folder / RECORD, text.encode())


def open_video_record(
    video: VideoFile, cast: Cast, wishes: VideoWishes, *, precisions: tuple[str, ...]
) -> VideoRecord:
    """Return the record of a video, with what its folder holds of the same runs already.

    Raises:
        OtherPredictionsError: It holds something else, and that is not to be replaced.
    """
    record = VideoRecord(video, _made_by(cast, wishes, precisions))
    before = _read(video.folder / RECORD)
    if before is None:
        return record
    if before.get("made_by") != record.made_by and not wishes.plain.overwrite:
        raise OtherPredictionsError(
            f"{video.folder} must hold predictions of these runs under these settings or none, "
            "but holds others; name another folder, or replace them by --overwrite"
        )
    record.content = before
    return record


def _made_by(cast: Cast, wishes: VideoWishes, precisions: tuple[str, ...]) -> dict[str, Any]:
    """Say what a prediction follows from, in types that JSON gives back equal."""
    tracker, calibration = wishes.used_tracker, wishes.calibration
    runs = {
        "objects" if run is cast.objects else "actions": described(run, wishes.plain, [precision])
        for run, precision in zip(cast.runs, precisions, strict=True)
    }
    made_by = {
        **runs,
        "every": wishes.used_every if cast.objects else None,
        "tracker": tracker and tracker.model_dump(mode="json"),
        "appearance": wishes.appearance and wishes.appearance.model_dump(mode="json"),
        "action_stride": wishes.action_stride,
        "calibration": calibration and calibration.model_dump(mode="json"),
    }
    plain: dict[str, Any] = json.loads(json.dumps(made_by))
    return plain


def _read(file: Path) -> dict[str, Any] | None:
    """Return what a record holds; None where there is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OtherPredictionsError(
            f"{file} must be JSON of an earlier prediction, but is not ({error}); delete it"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise OtherPredictionsError(f"{file} must be of format {FORMAT}; delete it")
    return content
