"""A table in LaTeX, as journals set them: booktabs' rules, no lines between columns."""

from collections.abc import Sequence

from reports.exports.blocks import Table
from reports.exports.latex_text import latex_text
from reports.exports.numbers import numeric_columns

LINE = 130  # letters of \footnotesize that a landscape page is wide
SHORT = 14  # letters; a column no wider is never broken
ROW_END = r" \\"
PACKAGES = "% Needs booktabs, array, amssymb and textcomp, and fontenc with T1."


def latex_table(table: Table, *, breaks: bool = False) -> str:
    """Return a table with its caption, label and notes.

    Args:
        table: What is in it.
        breaks: Whether it goes on over pages (longtable); else it floats in a text.
    """
    head = _row(table.columns) if any(table.columns) else ""
    body = "\n".join(_row(row) for row in table.rows)
    columns = _columns(table)
    caption = rf"\caption{{{latex_text(table.title)}}}\label{{tab:{table.id}}}"
    notes = [rf"{latex_text(note)}\par" for note in table.notes]
    if not breaks:
        return _floating(columns, head, body, caption=caption, notes=notes)
    return _over_pages(columns, head, body, caption=caption, notes=notes)


def _floating(columns: str, head: str, body: str, *, caption: str, notes: Sequence[str]) -> str:
    lines = [
        PACKAGES,
        r"\begin{table}",
        r"\centering\footnotesize",
        caption,
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *([head, r"\midrule"] if head else []),
        *filter(None, [body]),
        r"\bottomrule",
        r"\end{tabular}",
        *(["", r"\raggedright", *notes] if notes else []),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _over_pages(columns: str, head: str, body: str, *, caption: str, notes: Sequence[str]) -> str:
    again = [r"\toprule", head, r"\midrule", r"\endhead"] if head else []
    lines = [
        r"\begingroup\footnotesize",
        rf"\begin{{longtable}}{{{columns}}}",
        rf"{caption}\\",
        *([r"\toprule", head, r"\midrule", r"\endfirsthead"] if head else [r"\toprule"]),
        *again,
        *filter(None, [body]),
        r"\bottomrule",
        r"\end{longtable}",
        *notes,
        r"\endgroup",
    ]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return " & ".join(latex_text(cell) for cell in cells) + ROW_END


def _columns(table: Table) -> str:
    """Return the columns' kinds; where the table is too wide, long ones are broken into lines."""
    widths = [
        max(len(table.columns[at]), *(len(row[at]) for row in table.rows), 1)
        for at in range(len(table.columns))
    ]
    kinds = ["r" if is_number else "l" for is_number in numeric_columns(table)]
    if sum(widths) + 2 * len(widths) <= LINE:
        return "".join(kinds)
    long = [width for width in widths if width > SHORT]
    gaps = 2 * len(widths) / LINE
    left = max(0.3, 1 - gaps - sum(width for width in widths if width <= SHORT) / LINE)
    shares = [left * _weight(width) / sum(map(_weight, long)) for width in widths]
    return "".join(
        kind if width <= SHORT else rf">{{\raggedright\arraybackslash}}p{{{share:.3f}\linewidth}}"
        for kind, width, share in zip(kinds, widths, shares, strict=True)
    )


def _weight(width: int) -> float:
    """A text four times as long gets twice the width, and so twice the lines."""
    return float(width**0.5)
