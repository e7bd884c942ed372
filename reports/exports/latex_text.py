"""Text for LaTeX that pdfTeX sets as it stands, whatever letters a name has.

pdfTeX stops at a letter that its fonts lack. Signs that reports print have commands here, the
letters of Latin-1 are in the T1 encoding, those with other accents are put together, and any other
letter becomes its code point, such as "[U+1F600]": unlovely, and never an error.
"""

import re
import unicodedata

from reports.exports.unseen import without_controls

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    # After the end of a table's row these two would be read as its options.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}
SIGNS = {
    "\N{MINUS SIGN}": "$-$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{MICRO SIGN}": r"\textmu{}",
    "\N{GREEK SMALL LETTER MU}": r"\textmu{}",
    "\N{GREEK SMALL LETTER SIGMA}": r"$\sigma$",
    "\N{GREEK CAPITAL LETTER DELTA}": r"$\Delta$",
    "\N{DEGREE SIGN}": r"\textdegree{}",
    "\N{MIDDLE DOT}": r"\textperiodcentered{}",
    "\N{BULLET}": r"\textbullet{}",
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
    "\N{LEFTWARDS ARROW}": r"$\leftarrow$",
    "\N{LESS-THAN OR EQUAL TO}": r"$\le$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\ge$",
    "\N{ALMOST EQUAL TO}": r"$\approx$",
    "\N{NOT EQUAL TO}": r"$\ne$",
    "\N{INFINITY}": r"$\infty$",
    "\N{CHECK MARK}": r"$\checkmark$",
    "\N{BLACK DOWN-POINTING TRIANGLE}": r"$\blacktriangledown$",
    "\N{BLACK UP-POINTING TRIANGLE}": r"$\blacktriangle$",
    "\N{BLACK STAR}": r"$\star$",
    "\N{SECTION SIGN}": r"\S{}",
    "\N{EURO SIGN}": r"\texteuro{}",
    "\N{SUPERSCRIPT TWO}": r"$^2$",
    "\N{NO-BREAK SPACE}": "~",
    "\N{NARROW NO-BREAK SPACE}": "~",
}
LIGATURES = re.compile(r"(?<=-)(?=-)|(?<=,)(?=,)")  # of T1: "--" would become a dash
APOSTROPHE = re.compile(r"(?<=\w)'(?=\w)")  # "Welch's"; any other mark is a straight quote
LATIN_1 = 0xFF  # its last letter
IN_FONTS = frozenset("ŁłŒœĐđŊŋı")  # of T1, beside Latin-1
ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": r"\`",
    "\N{COMBINING ACUTE ACCENT}": r"\'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": r"\^",
    "\N{COMBINING TILDE}": r"\~",
    "\N{COMBINING MACRON}": r"\=",
    "\N{COMBINING BREVE}": r"\u",
    "\N{COMBINING DOT ABOVE}": r"\.",
    "\N{COMBINING DIAERESIS}": r"\"",
    "\N{COMBINING RING ABOVE}": r"\r",
    "\N{COMBINING DOUBLE ACUTE ACCENT}": r"\H",
    "\N{COMBINING CARON}": r"\v",
    "\N{COMBINING CEDILLA}": r"\c",
    "\N{COMBINING OGONEK}": r"\k",
}


def latex_text(text: str) -> str:
    """Return a text that LaTeX prints and never obeys."""
    words = APOSTROPHE.sub("\N{RIGHT SINGLE QUOTATION MARK}", _composed(text))
    split = LIGATURES.sub("\0", words)
    return "".join("{}" if letter == "\0" else _letter(letter) for letter in split)


def _composed(text: str) -> str:
    """Return a text without controls, an accent and its letter as one where there is one."""
    return unicodedata.normalize("NFC", without_controls(text)).replace("\n", " ")


def _letter(letter: str) -> str:
    known = SPECIAL.get(letter) or SIGNS.get(letter)
    if known is not None:
        return known
    if letter.isascii() or letter in IN_FONTS or (ord(letter) <= LATIN_1 and letter.isalpha()):
        return letter
    apart = unicodedata.normalize("NFD", letter)
    base, accent = apart[0], apart[1:]
    if base.isascii() and accent in ACCENTS:
        return f"{ACCENTS[accent]}{{{base}}}"
    plain = unicodedata.normalize("NFKC", letter)
    if plain != letter and plain.isascii():
        return latex_text(plain)
    return f"{{[}}U+{ord(letter):04X}{{]}}"
