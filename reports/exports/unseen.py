"""Letters that show nothing and can change what stands beside them."""

import unicodedata

from reports.foreign_text import TURNING


def without_controls(text: str) -> str:
    """Return a text without control letters and changes of direction; line ends stay.

    Arabic and Hebrew keep their own direction: only marks that are no letters go.
    """
    return "".join(
        letter
        for letter in TURNING.sub("", text)
        if letter == "\n" or unicodedata.category(letter) != "Cc"
    )
