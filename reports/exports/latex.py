"""A report as LaTeX: booktabs tables, each with a label, in a document that pdfTeX compiles."""

from collections.abc import Mapping, Sequence

from reports.exports.blocks import Block, Heading, Listing, Paragraph, Photo, Picture, Table
from reports.exports.latex_tables import latex_table
from reports.exports.latex_text import latex_text

PREAMBLE = r"""\documentclass[a4paper,landscape,10pt]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{lmodern}
\usepackage{textcomp}
\usepackage{amssymb}
\usepackage[margin=18mm]{geometry}
\usepackage{array}
\usepackage{booktabs}
\usepackage{caption}
\usepackage{longtable}
\usepackage{graphicx}
\setlength{\parindent}{0pt}
\setlength{\parskip}{5pt}
\setlength{\emergencystretch}{3em}
"""
SECTIONS = {2: "section*", 3: "subsection*", 4: "subsubsection*"}


def latex(blocks: Sequence[Block], files: Mapping[str, str]) -> str:
    """Return a whole document.

    Args:
        blocks: What it says.
        files: Path of every picture that was written, from the document's folder, by the figure's
            id or the photo's source; a figure that is not there is its sentence alone.
    """
    parts = [_block(block, files) for block in blocks]
    body = "\n\n".join(filter(None, parts))
    return f"{PREAMBLE}\n\\begin{{document}}\n\n{body}\n\n\\end{{document}}\n"


def _block(block: Block, files: Mapping[str, str]) -> str:
    match block:
        case Heading(level, text):
            return _heading(level, latex_text(text))
        case Paragraph(text, is_item):
            return rf"\textbullet{{}} {latex_text(text)}" if is_item else latex_text(text)
        case Listing(text):
            return _listing(text)
        case Table():
            return latex_table(block, breaks=True)
        case Picture(identifier, title, summary):
            words = rf"\textbf{{{latex_text(title)}.}} {latex_text(summary)}"
            caption = rf"\captionof{{figure}}{{{words}}}\label{{fig:{identifier}}}"
            return _image(files.get(identifier), caption) or words
        case Photo(caption, source):
            return _image(files.get(source), latex_text(caption))


def _heading(level: int, text: str) -> str:
    if level == 1:
        return rf"{{\LARGE\bfseries {text}\par}}"
    return rf"\{SECTIONS[level]}{{{text}}}"


def _listing(text: str) -> str:
    """Return text line by line, as verbatim would end at its own end mark inside the text."""
    lines = [_code_line(line) for line in text.splitlines()]
    return "{\\ttfamily\\footnotesize\\raggedright\n" + "\n".join(lines) + "\n}"


def _code_line(line: str) -> str:
    indent = len(line) - len(line.lstrip(" "))
    return rf"{'~' * indent}{latex_text(line.lstrip(' '))}\par"


def _image(file: str | None, words: str) -> str:
    if file is None:
        return ""
    size = r"width=\linewidth,height=0.72\textheight,keepaspectratio"
    graphic = rf"\includegraphics[{size}]{{{file}}}"
    return f"\\begin{{center}}\n{graphic}\n\n{words}\n\\end{{center}}"
