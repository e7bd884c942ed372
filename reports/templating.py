"""From a template to one self-contained HTML file that a reader never sees half of."""

import os
import tempfile
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports import notation
from reports.foreign_text import isolated
from reports.many_rows import SHOWN_ROWS
from reports.theme import series_style

TEMPLATES = Path(__file__).parent / "templates"
# Bars, lines and heat maps of Plotly alone: all of it would be three times as long to load.
PLOTLY_FILE = "plotly-cartesian.min.js"
FILTERS = (
    notation.configuration_label,
    notation.duration,
    notation.interval,
    notation.is_lower_better,
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


@cache
def template_environment() -> Environment:
    """Return what renders the templates: escaping on, an unknown name is an error.

    It is the same every time, as compiling the templates takes longer than filling them in.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=isolated,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {function.__name__: function for function in FILTERS}
    environment.filters["position"] = position
    environment.filters["raw_file"] = _raw_file
    environment.globals["plotly_js"] = plotly_js()
    environment.globals["series_style"] = series_style
    environment.globals["shown_rows"] = SHOWN_ROWS
    return environment


def plotly_js() -> Markup:
    """Return Plotly, as pages have it."""
    return _raw_file(PLOTLY_FILE)


def write_page(text: str, file: Path) -> None:
    """Write a page under another name and rename it when it is whole."""
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


def position(value: float, axis: tuple[float, float]) -> str:
    """Place a value on an axis: 0 at its low end, 100 at its high end."""
    low, high = axis
    share = (value - low) / (high - low) if high > low else 0.5
    return f"{100 * min(max(share, 0.0), 1.0):.1f}"


def _raw_file(name: str) -> Markup:
    """Return a file of ours unescaped: the style sheet and the script."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))
