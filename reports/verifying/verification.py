"""Compute a report anew from the records and hold it against the file, number by number."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from reports.verifying.differences import Difference, differences
from reports.verifying.pieces import Piece, read_pieces
from reports.verifying.stamp import Stamp, read_stamp, stamp_of
from trackers.records import StudyRecord

Render = Callable[[Sequence[StudyRecord], str], str]  # (studies, `generated_at`) -> page


class Verdict(Enum):
    """What a verification ends with, as an exit status."""

    SAME = 0
    DIFFERS = 1
    CANNOT_SAY = 2


@dataclass(frozen=True, slots=True)
class Verification:
    """What was compared, what differs, and why that may be no fault of the report."""

    compared: int  # pieces: sentences, table cells, figures, scripts
    differences: tuple[Difference, ...]
    doubts: tuple[str, ...]  # why records and report need not agree

    @property
    def verdict(self) -> Verdict:
        """Say what it comes to: what agrees is right, whatever happened since."""
        if not self.differences:
            return Verdict.SAME
        return Verdict.CANNOT_SAY if self.doubts else Verdict.DIFFERS


def verify(page: str, studies: Sequence[StudyRecord], render: Render) -> Verification:
    """Compare a report with what the records of its studies say now.

    Args:
        page: The report, HTML.
        studies: Those that its stamp names, in that order.
        render: Writes a page of them.

    Raises:
        NoReportError: The page has no stamp.
    """
    stamp = read_stamp(page)
    anew = render(studies, stamp.generated_at)
    told, found = read_pieces(page), read_pieces(anew)
    return Verification(
        compared=_count(found),
        differences=differences(told, found),
        doubts=tuple(_doubts(stamp, stamp_of(studies, stamp.generated_at))),
    )


def _count(pieces: Sequence[Piece]) -> int:
    return sum(bool(each.text) for each in pieces)


def _doubts(then: Stamp, now: Stamp) -> Iterator[str]:
    for before, after in zip(then.studies, now.studies, strict=True):
        if before.created != after.created:
            yield (
                f"the study '{after.name}' of this workspace is another one: it was created at "
                f"another time than the report's"
            )
        elif before.progress != after.progress:
            yield (
                f"study '{after.name}' has gone on since the report: {before.progress} then, "
                f"{after.progress} now"
            )
    if (then.version, then.code) != (now.version, now.code):
        yield (
            f"the report was written by visionstudy {then.version} ({then.code}), this is "
            f"{now.version} ({now.code}), which may write the same records differently"
        )
