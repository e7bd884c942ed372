"""Which Chrome or Chromium draws figures and prints pages."""

import os
import shutil

from reports.exports.errors import NoBrowserError

VARIABLE = "BROWSER_PATH"  # as Kaleido has it
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
)


def find_browser() -> str:
    """Return the browser that the environment names, or the first one on the PATH.

    Raises:
        NoBrowserError: There is none.
    """
    named = os.environ.get(VARIABLE)
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
    if found is not None:
        return found
    if named:
        raise NoBrowserError(
            f"{VARIABLE} must name Chrome or Chromium, got {named!r}, which is no program; "
            "correct it, or unset it to search the PATH"
        )
    raise NoBrowserError(
        "figures and PDF need Chrome or Chromium, and none is on the PATH; install it "
        f"(apt install chromium), or name it by {VARIABLE}"
    )
