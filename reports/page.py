"""One self-contained HTML file per study: readable offline, on paper and on a phone.

The page may load nothing: a content security policy in it forbids every request, and Plotly's
script is inlined once.
"""

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from reports import notation
from reports.contents import contents
from reports.tables.environment import moment_text
from reports.theme import series_style
from trackers.records import StudyRecord

TEMPLATES = Path(__file__).parent / "templates"
FILTERS = (
    notation.configuration_label,
    notation.duration,
    notation.interval,
    notation.join_words,
    notation.macs,
    notation.metric_name,
    notation.percent,
    notation.plural,
    notation.score,
    notation.sentence_case,
    notation.signed,
    notation.slug,
    notation.unbroken,
    notation.value_text,
)


def render(study: StudyRecord, *, generated_at: str | None = None) -> str:
    """Return a study's report as HTML.

    The same record and `generated_at` give the same bytes; without it, the time is now, UTC.

    Raises:
        UnknownBaselineError: the study names a baseline that is not known.
    """
    moment = generated_at or moment_text(datetime.now(UTC))
    template = _environment().get_template("report.html.j2")
    return template.render(page=contents(study), generated_at=moment)


def write(study: StudyRecord, file: Path) -> None:
    """Write a study's report; a reader never sees half a file."""
    text = render(study)
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {function.__name__: function for function in FILTERS}
    environment.filters["position"] = position
    environment.filters["raw_file"] = _raw_file
    environment.globals["plotly_js"] = Markup(get_plotlyjs())
    environment.globals["series_style"] = series_style
    return environment


def position(value: float, axis: tuple[float, float]) -> str:
    """Place a value on an axis: 0 at its low end, 100 at its high end."""
    low, high = axis
    share = (value - low) / (high - low) if high > low else 0.5
    return f"{100 * min(max(share, 0.0), 1.0):.1f}"


def _raw_file(name: str) -> Markup:
    """Return a file of ours unescaped: the style sheet and the script."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))
