"""Score tracks of any tool against true objects, video by video and all together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.metrics.tracking import TrackCounts, TrackTable, count_tracks, summed
from studies.tracking.mot_text import NO_BOXES, MotBoxes, UnusableTracksError, read_mot

TRUTH_PLACE = Path("gt", "gt.txt")  # of a sequence, in its folder of MOTChallenge


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be scored, and how."""

    truth: Path
    tracks: Path
    least_iou: float = 0.5


@dataclass(frozen=True, slots=True)
class TrackScores:
    """What tracks scored."""

    question: Question
    sequences: Mapping[str, TrackCounts]  # by name
    missing: tuple[str, ...]  # sequences without a file of tracks, scored as nothing found
    extra: tuple[str, ...]  # files of tracks whose sequence the truth does not have

    @property
    def all(self) -> TrackCounts:
        """Return the counts of all videos, added up."""
        return summed(list(self.sequences.values()))

    @property
    def is_whole(self) -> bool:
        """Whether every sequence has its tracks, and the other way round."""
        return not (self.missing or self.extra)


def score_tracks(question: Question) -> TrackScores:
    """Score a file against a file, or a folder of sequences against a folder.

    Raises:
        UnusableTracksError: A file cannot be read, files do not belong together, or there is
            no true box.
    """
    truths, tracks = _true_files(question.truth), _track_files(question.tracks)
    if question.tracks.is_file():
        if len(truths) > 1:
            raise UnusableTracksError(
                f"{question.tracks} must be a folder with a file for each of the {len(truths)} "
                f"sequences of {question.truth}, got a file; name both or one sequence"
            )
        tracks = dict.fromkeys(truths, question.tracks)
    if not truths.keys() & tracks.keys():
        raise UnusableTracksError(
            f"{question.tracks} must hold tracks of a sequence of {question.truth}, such as "
            f"{next(iter(truths))}.txt, got none; name the file or another folder"
        )
    counts = {
        name: count_tracks(
            _table(read_mot(file, "truth")),
            _table(read_mot(tracks[name], "tracks") if name in tracks else NO_BOXES),
            least_iou=question.least_iou,
        )
        for name, file in truths.items()
    }
    if not any(each.true_boxes for each in counts.values()):
        raise UnusableTracksError(
            f"{question.truth} must hold a box whose confidence is not 0, got none; name the "
            "true objects"
        )
    return TrackScores(
        question,
        counts,
        missing=tuple(name for name in truths if name not in tracks),
        extra=tuple(name for name in tracks if name not in truths),
    )


def _true_files(truth: Path) -> dict[str, Path]:
    """Return sequence -> file: SEQUENCE/gt/gt.txt, else SEQUENCE.txt; or the one of a file."""
    if truth.is_file():
        is_in_place = truth.parts[-2:] == TRUTH_PLACE.parts
        return {truth.resolve().parents[1].name if is_in_place else truth.stem: truth}
    if (truth / TRUTH_PLACE).is_file():
        return {truth.resolve().name: truth / TRUTH_PLACE}
    in_place = sorted(truth.glob(f"*/{TRUTH_PLACE}"))
    files = {file.parents[1].name: file for file in in_place} or _texts(truth)
    if not files:
        raise UnusableTracksError(
            f"{truth} must be a file of true objects, or a folder of SEQUENCE/{TRUTH_PLACE} or "
            "of SEQUENCE.txt, got none of these; name another"
        )
    return files


def _track_files(tracks: Path) -> dict[str, Path]:
    files = {tracks.stem: tracks} if tracks.is_file() else _texts(tracks)
    if not files:
        raise UnusableTracksError(
            f"{tracks} must be a file of tracks or a folder of SEQUENCE.txt, got neither; name "
            "another"
        )
    return files


def _texts(folder: Path) -> dict[str, Path]:
    return {file.stem: file for file in sorted(folder.glob("*.txt"))}


def _table(boxes: MotBoxes) -> TrackTable:
    return TrackTable(boxes.frames, boxes.ids, boxes.boxes_xyxy)
