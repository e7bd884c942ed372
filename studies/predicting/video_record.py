"""`prediction.json` of a video: what was found, by what, from what.

It is written when a video is begun, with the files that are going to be there, and anew when it is
finished: so a killed run's files are told from anybody else's.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from data_pipeline.video.streaming import StreamFacts
from models.tracking.settings import AppearanceSettings
from studies.predicting.earlier_record import OtherPredictionsError, earlier_record
from studies.predicting.outputs import delete_files, write_file
from studies.predicting.record import described, sha256, stamp, versions
from studies.predicting.video_files import RECORD, VideoFile
from studies.predicting.video_wishes import Cast, VideoWishes

FORMAT = 1
BEGUN = "begun, not finished"
READ = ("source", "stamp", "made_by", "frames", "was_stopped", "files")  # of an earlier record
REPLACE = "name another folder, or replace {} by --overwrite"


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

    def begin(self, files: Mapping[str, str], *, is_replacing: bool) -> None:
        """Note which files are going to be written, and delete those of before.

        Args:
            files: What is in it -> its name in the video's folder.
            is_replacing: Also files that no record of ours names.

        Raises:
            OtherPredictionsError: There are such files, and they are not to be replaced.
        """
        known = self.content.get("files", {}).values()
        foreign = [
            name
            for name in files.values()
            if name not in known and os.path.lexists(self.video.folder / name)
        ]
        if foreign and not is_replacing:
            raise OtherPredictionsError(
                f"{self.video.folder} must hold no {' and no '.join(foreign)} but of an earlier "
                f"prediction, of which no {RECORD} is there; {REPLACE.format('what is there')}"
            )
        self.forget()
        self.content = {
            "format": FORMAT,
            "source": str(self.video.file),
            "stamp": stamp(self.video.file),
            "made_by": self.made_by,
            "note": BEGUN,
            "frames": 0,
            "was_stopped": True,
            "files": dict(files),
        }
        self.save()

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
    file = video.folder / RECORD
    must = f"of format {FORMAT} and whole"
    before = earlier_record(file, _is_ours, must=must, is_replacing=wishes.plain.overwrite)
    if before is None:
        return record
    if not wishes.plain.overwrite:
        _check_same(record, before)
    record.content = before
    return record


def _check_same(record: VideoRecord, before: Mapping[str, Any]) -> None:
    """Refuse what was found in another video, by other runs or under other settings.

    Raises:
        OtherPredictionsError: It is such.
    """
    folder, file = record.video.folder, record.video.file
    if before["source"] != str(file):
        raise OtherPredictionsError(
            f"{folder} must hold predictions of {file} or none, but holds those of "
            f"{before['source']}; {REPLACE.format('them')}"
        )
    # Of a run that was killed there is no frame to lose, whatever its settings were.
    if before["made_by"] != record.made_by and before["frames"]:
        raise OtherPredictionsError(
            f"{folder} must hold predictions of these runs under these settings or none, "
            f"but holds others; {REPLACE.format('them')}"
        )


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
        "appearance": _appearance(wishes.appearance),
        "action_stride": wishes.action_stride,
        "calibration": calibration and calibration.model_dump(mode="json"),
    }
    plain: dict[str, Any] = json.loads(json.dumps(made_by))
    return plain


def _appearance(settings: AppearanceSettings | None) -> dict[str, Any] | None:
    """Say what describes boxes; weights by what is in their file, which may change."""
    if settings is None:
        return None
    said = settings.model_dump(mode="json")
    if settings.name == "network" and settings.weights is not None:
        said["weights_sha256"] = sha256(settings.weights)
    return said


def _is_ours(content: Mapping[str, Any]) -> bool:
    is_whole = content.get("format") == FORMAT and content.keys() >= set(READ)
    return is_whole and isinstance(content["files"], dict)
