"""One self-contained HTML file per study: readable offline, on paper and on a phone.

The page may load nothing: a content security policy in it forbids every request, and Plotly's
script is inlined once.
"""

from datetime import UTC, datetime
from pathlib import Path

from reports.contents import Contents, contents
from reports.tables.environment import moment_text
from reports.templating import template_environment, write_page
from reports.verifying.stamp import stamp_of
from trackers.records import StudyRecord


def render(study: StudyRecord, *, generated_at: str | None = None) -> str:
    """Return a study's report as HTML.

    The same record and `generated_at` give the same bytes; without it, the time is now, UTC.

    Raises:
        UnknownBaselineError: the study names a baseline that is not known.
    """
    return render_contents(contents(study), generated_at=generated_at)


def render_contents(found: Contents, *, generated_at: str | None = None) -> str:
    """Return computed contents as HTML; see `render`."""
    moment = generated_at or moment_text(datetime.now(UTC))
    template = template_environment().get_template("report.html.j2")
    stamp = stamp_of([found.study], moment)
    return template.render(page=found, generated_at=moment, stamp=stamp)


def write(study: StudyRecord, file: Path) -> None:
    """Write a study's report; a reader never sees half a file."""
    write_page(render(study), file)
