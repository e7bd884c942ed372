"""Whether a coordinator still holds its study's lease.

On a PostgreSQL server the lease lives as long as a connection: a restart of the server ends it,
and another coordinator may have taken the study before this one is back.
"""

import time
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError

from studies.running.file_lock import Lease

PAUSE_S = 5.0  # between looks


@dataclass(slots=True)
class LeaseWatch:
    """Looks now and then."""

    lease: Lease
    _looked_at: float = field(default_factory=time.monotonic)

    def look(self) -> None:
        """See that the lease is held, and take it again where its connection broke.

        Raises:
            LockHeldError: another process has it; nothing of the study may be written any more.
        """
        now = time.monotonic()
        if now - self._looked_at < PAUSE_S:
            return
        self._looked_at = now
        try:
            self.lease.confirm()
        except DBAPIError:
            return  # the server is away; nobody else can take the lease either
