"""Numbers in files of text that other tools wrote."""

import math


def finite_number(text: str) -> float | None:
    """Return the number that a word is; None where it is none, or not a finite one."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
