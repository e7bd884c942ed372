"""What a report says of itself, so that it can be computed anew: its studies, moment and code."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path

from reports.notation import plural
from trackers.records import StudyRecord

PREFIX = "visionstudy-"
OF_ONE_STUDY, OF_SEVERAL = "study", "comparison"  # kinds of report
PACKAGE = Path(__file__).parents[1]
WRITTEN_WITH = (".py", ".j2", ".css", ".js", ".csv")  # endings of files that make a page


class NoReportError(ValueError):
    """A file is no report, or of a release that stamped none."""


@dataclass(frozen=True, slots=True)
class StudyStamp:
    """One study of a report, as it was then."""

    name: str
    created: str  # unix seconds
    progress: str  # for people: "12 attempts, 96 epochs, …, finished"


@dataclass(frozen=True, slots=True)
class Stamp:
    """The `meta` elements of a report."""

    kind: str  # `OF_ONE_STUDY` or `OF_SEVERAL`
    generated_at: str
    version: str
    code: str  # hash of the files that make the page
    studies: tuple[StudyStamp, ...]

    @property
    def tags(self) -> Iterator[tuple[str, str]]:
        """The name and content of every element, in order; those of a study together."""
        yield f"{PREFIX}report", self.kind
        yield f"{PREFIX}generated", self.generated_at
        yield f"{PREFIX}version", self.version
        yield f"{PREFIX}code", self.code
        for study in self.studies:
            yield f"{PREFIX}study", study.name
            yield f"{PREFIX}created", study.created
            yield f"{PREFIX}progress", study.progress


def stamp_of(studies: Sequence[StudyRecord], generated_at: str) -> Stamp:
    """Return the stamp of a report that is written now, by this code."""
    return Stamp(
        kind=OF_ONE_STUDY if len(studies) == 1 else OF_SEVERAL,
        generated_at=generated_at,
        version=version("visionstudy"),
        code=_code_hash(),
        studies=tuple(
            StudyStamp(each.name, repr(each.created_at), _progress(each)) for each in studies
        ),
    )


def read_stamp(page: str) -> Stamp:
    """Read a report's stamp.

    Raises:
        NoReportError: It has none.
    """
    reader = _MetaReader()
    reader.feed(page.partition("</head>")[0])
    once = {name: content for name, content in reader.found if content}
    missing = [name for name, _ in _EMPTY.tags if name not in once]
    if missing or f"{PREFIX}study" not in once:
        raise NoReportError(
            "a report must say which study it is of, got a page without "
            f'<meta name="{(*missing, f"{PREFIX}study")[0]}">; write it anew by visionstudy report'
        )
    return Stamp(
        kind=once[f"{PREFIX}report"],
        generated_at=once[f"{PREFIX}generated"],
        version=once[f"{PREFIX}version"],
        code=once[f"{PREFIX}code"],
        studies=tuple(_studies(reader.found)),
    )


_EMPTY = Stamp("", "", "", "", ())


def _studies(found: Sequence[tuple[str, str]]) -> Iterator[StudyStamp]:
    """Put together what belongs to one study: a name and what follows it."""
    starts = [index for index, (name, _) in enumerate(found) if name == f"{PREFIX}study"]
    for start, end in zip(starts, [*starts[1:], len(found)], strict=True):
        own: Mapping[str, str] = dict(found[start:end])
        created, progress = (own.get(f"{PREFIX}{name}", "") for name in ("created", "progress"))
        yield StudyStamp(own[f"{PREFIX}study"], created, progress)


def _progress(study: StudyRecord) -> str:
    cells = study.cells.values()
    parts = (
        plural(sum(len(cell.trials) for cell in cells), "attempt"),
        plural(sum(len(cell.epochs) for cell in cells), "epoch"),
        plural(study.test_looks, "look") + " at the test split",
        "finished" if study.is_finished else "not finished",
    )
    return ", ".join(parts)


@cache
def _code_hash() -> str:
    """Hash what makes a page, as it lies on this machine."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*")):
        if file.suffix in WRITTEN_WITH:
            digest.update(str(file.relative_to(PACKAGE)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


class _MetaReader(HTMLParser):
    """Collects our `meta` elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        name = named.get("name") or ""
        if tag == "meta" and name.startswith(PREFIX):
            self.found.append((name, named.get("content") or ""))
