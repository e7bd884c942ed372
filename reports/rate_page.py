"""One self-contained HTML file, and a table, about a learning-rate range test."""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from reports.figures.embedding import EmbeddedFigure, embed
from reports.figures.rate_range import rate_figure, rate_summary
from reports.rate_record import RateRecord, SuggestedRecord
from reports.tables.environment import moment_text
from reports.templating import template_environment, write_page

NEAR = 2.0  # times the lower end: what is below is no range to search
COLUMNS = ("step", "learning_rate", "loss", "smoothed_loss")


@dataclass(frozen=True, slots=True)
class RateContents:
    """The page."""

    record: RateRecord
    verdict: str
    notes: tuple[str, ...]
    figure: EmbeddedFigure


def rate_contents(record: RateRecord) -> RateContents:
    """Compute what stands on the page."""
    figure = embed(
        rate_figure(record),
        "rates",
        title="Training loss while the learning rate grows",
        summary=rate_summary(record),
        min_width=560,
    )
    return RateContents(record, verdict(record), notes(record), figure)


def verdict(record: RateRecord) -> str:
    """Say in a sentence which rates are worth a try."""
    found = record.suggested
    if found is None:
        return (
            "No learning rate can be suggested: the loss falls clearly at none of those that "
            "were tried."
        )
    rates = worth_a_try(found)
    if len(rates) == 1:
        return f"Worth a try: a learning rate of about {rates[0]:.2g}."
    return f"Worth a try: learning rates from {rates[0]:.2g} to {rates[-1]:.2g}."


def worth_a_try(found: SuggestedRecord) -> tuple[float, ...]:
    """Return both ends of what is suggested, or one rate where they are nearly the same."""
    if found.high < NEAR * found.low:
        return (found.steepest,)
    return (found.low, found.high)


def notes(record: RateRecord) -> tuple[str, ...]:
    """Say what limits the answer, and what may be done about it."""
    found, said = record.suggested, []
    if found is None and record.has_exploded and len(record.rates) * 2 < record.steps:
        said.append("The loss exploded early: begin lower (--low).")
    elif found is None:
        said.append("Take more steps (--steps), higher rates (--high), or larger batches.")
    elif found.still_falls:
        said.append(
            f"The loss was still falling at {record.rates[-1]:.2g}, the highest rate: go higher "
            "(--high)."
        )
    said.append(
        "One run, one seed, and so many steps are few: this narrows down where to search, and "
        "replaces no study."
    )
    return tuple(said)


def render_rates(record: RateRecord, *, generated_at: str | None = None) -> str:
    """Return the page; the same record and `generated_at` give the same bytes."""
    moment = generated_at or moment_text(datetime.now(UTC))
    template = template_environment().get_template("rate.html.j2")
    return template.render(page=rate_contents(record), generated_at=moment)


def rates_csv(record: RateRecord) -> str:
    """Return every step as CSV (RFC 4180), with all digits."""
    stream = StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    rows = zip(record.rates, record.losses, record.smoothed, strict=True)
    writer.writerows([step, *map(repr, row)] for step, row in enumerate(rows, start=1))
    return stream.getvalue()


def write_rates(record: RateRecord, page: Path, table: Path) -> None:
    """Write both; a reader never sees half of one."""
    write_page(rates_csv(record), table)
    write_page(render_rates(record), page)
