"""Why a report cannot be written in another format.

ExportError
├── NoBrowserError         no Chrome or Chromium was found
├── NoKaleidoError         the package that draws figures outside a page is missing
└── BrowserFailedError     the browser was found and wrote nothing
"""


class ExportError(RuntimeError):
    """A format needs what is not there; the message says what to install."""


class NoBrowserError(ExportError):
    """No Chrome or Chromium was found."""


class NoKaleidoError(ExportError):
    """The package that draws figures outside a page is missing."""


class BrowserFailedError(ExportError):
    """The browser was found and wrote nothing."""
