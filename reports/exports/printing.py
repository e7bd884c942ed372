"""A page as PDF: what a browser prints of it, without a network."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from reports.exports.browser import find_browser
from reports.exports.errors import BrowserFailedError

TIMEOUT_S: Final = 180.0
SETTLE_MS: Final = 5_000  # of the page's own clock, which runs on while nothing happens
PDF_SIGNATURE: Final = b"%PDF-"
LAST_WORDS: Final = 300  # letters of what a browser says when it fails


def print_page(page: str, file: Path) -> None:
    """Print an HTML page; a reader never sees half a file.

    Args:
        page: Self-contained HTML.
        file: The PDF; its folder is made.

    Raises:
        NoBrowserError: There is no Chrome or Chromium.
        BrowserFailedError: It printed nothing.
    """
    browser = find_browser()
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="print-", dir=file.parent) as scratch:
        source, printed = Path(scratch) / "page.html", Path(scratch) / "page.pdf"
        source.write_text(page, encoding="utf-8")
        command = [browser, *_flags(Path(scratch)), f"--print-to-pdf={printed}", source.as_uri()]
        words = _run(command)
        if not printed.is_file() or not printed.read_bytes().startswith(PDF_SIGNATURE):
            raise BrowserFailedError(
                f"{browser} must print the page, got no PDF; it said: {words[-LAST_WORDS:]}"
            )
        printed.replace(file)


def _flags(scratch: Path) -> list[str]:
    flags = [
        "--headless",
        "--disable-gpu",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--no-first-run",
        "--no-pdf-header-footer",
        f"--user-data-dir={scratch / 'profile'}",
        f"--virtual-time-budget={SETTLE_MS}",
    ]
    # Chromium refuses its sandbox to root, as in a container.
    return [*flags, "--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else flags


def _run(command: list[str]) -> str:
    """Run a browser to its end and return what it said."""
    try:
        done = subprocess.run(  # a fixed program and our own file
            command, capture_output=True, check=False, timeout=TIMEOUT_S, text=True
        )
    except subprocess.TimeoutExpired as error:
        raise BrowserFailedError(
            f"{command[0]} must print the page within {TIMEOUT_S:.0f} s, and did not; "
            "try --format html and print it by hand"
        ) from error
    return done.stderr.strip()
