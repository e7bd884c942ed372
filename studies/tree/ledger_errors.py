"""What can be wrong with a ledger, in sentences for its user.

LedgerError               it cannot be read or written
├── NewerLedgerError      a newer release wrote it
├── ReadOnlyLedgerError   it may only be read
└── LedgerAwayError       its server does not answer
"""

from sqlalchemy.exc import DBAPIError

_DISK_FULL = "53100"  # PostgreSQL's code
_TEXTS = {
    "database or disk is full": "its disk is full; free some space there, then launch again: "
    "what was measured is kept",
    "disk i/o error": "its disk gives errors; see that it has space and is mounted, then launch "
    "again: what was measured is kept",
    "database is locked": "another program has kept it locked for half a minute; close that "
    "program, then try again",
    "file is not a database": "it is damaged: not a database; put a copy back, or move it "
    "away to begin anew",
    "malformed": "it is damaged: not whole; put a copy back, or move it away to begin anew",
    "readonly database": "it may only be read; make it and its folder writable for you",
    "unable to open": "it cannot be opened; see that you may read it and write to its folder",
}


class LedgerError(RuntimeError):
    """A ledger cannot be read or written."""


class NewerLedgerError(LedgerError):
    """A newer release wrote the ledger."""


class ReadOnlyLedgerError(LedgerError):
    """The ledger may only be read."""


class LedgerAwayError(LedgerError):
    """The ledger's server does not answer."""


def explain(error: DBAPIError, place: str) -> LedgerError:
    """Return what a database's error means for the ledger at a place."""
    said = str(error.orig).strip()
    if getattr(error.orig, "sqlstate", None) == _DISK_FULL:
        return LedgerError(f"ledger {place}: {_TEXTS['database or disk is full']}")
    for sign, text in _TEXTS.items():
        if sign in said.lower():
            return LedgerError(f"ledger {place}: {text}")
    return LedgerError(f"ledger {place} cannot be used: {' '.join(said.split())}")
