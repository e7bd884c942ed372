"""One self-contained HTML file that holds several studies beside each other."""

from collections.abc import Sequence
from datetime import UTC, datetime

from reports.several.contents import SeveralContents, several_contents
from reports.several.wording import interval_text
from reports.tables.environment import moment_text
from reports.templating import template_environment
from reports.verifying.stamp import stamp_of
from trackers.records import StudyRecord

FEWEST = 2


def render_several(studies: Sequence[StudyRecord], *, generated_at: str | None = None) -> str:
    """Return the page of two studies or more as HTML; the same records give the same bytes.

    Raises:
        ValueError: There are fewer, or one is named twice.
    """
    names = [each.name for each in studies]
    if len(names) < FEWEST or len(set(names)) < len(names):
        raise ValueError(
            "a comparison needs two studies of different names, got "
            f"{', '.join(names) or 'none'}; name each once"
        )
    return render_several_contents(studies, several_contents(studies), generated_at=generated_at)


def render_several_contents(
    studies: Sequence[StudyRecord], found: SeveralContents, *, generated_at: str | None = None
) -> str:
    """Return computed contents as HTML; see `render_several`."""
    moment = generated_at or moment_text(datetime.now(UTC))
    environment = template_environment()
    environment.filters["difference_interval"] = interval_text
    return environment.get_template("several.html.j2").render(
        page=found, generated_at=moment, stamp=stamp_of(studies, moment)
    )
