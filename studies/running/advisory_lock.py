"""A lock that a PostgreSQL server keeps as long as its holder's connection lives.

Locks on files are not to be trusted across hosts; this one is held on whichever host, and the
server releases it when the holder dies or its host vanishes.
"""

import hashlib
from pathlib import Path

from sqlalchemy import URL, Connection, NullPool, create_engine, func, select, text
from sqlalchemy.exc import DBAPIError

from studies.running.file_lock import Lease, LockHeldError, read_holder, write_holder

CONNECT_TIMEOUT_S = 10
# The server looks after half a minute of silence whether the holder's host is still there.
_KEEPALIVES = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
# Looking takes nothing: a coordinator that confirms its lease just then would lose it.
_HELD = text(
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND objsubid = 1 AND classid::bigint = :high AND objid::bigint = :low AND database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database()))"
)


class AdvisoryLock(Lease):
    """An exclusive lock of a name within a database; also a context manager."""

    def __init__(self, url: URL, name: str, note: Path) -> None:
        """Prepare a lock.

        Args:
            url: The database.
            name: What the lock is for.
            note: File in which the holder says who it is.
        """
        self._engine = create_engine(
            url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "options": _KEEPALIVES},
        )
        digest = hashlib.sha256(name.encode()).digest()
        self._key = int.from_bytes(digest[:8], "big", signed=True)
        self._note = note
        self._connection: Connection | None = None

    def acquire(self) -> None:
        """Take the lock and write who holds it.

        Raises:
            LockHeldError: another living process holds it.
        """
        connection = self._engine.connect()
        if not connection.scalar(select(func.pg_try_advisory_lock(self._key))):
            connection.close()
            raise LockHeldError(read_holder(self._note))
        self._connection = connection
        write_holder(self._note)

    def confirm(self) -> None:
        """See that the lock is still held; take it again where the connection broke.

        Raises:
            LockHeldError: another process took it meanwhile.
            DBAPIError: the server does not answer; ask again later.
        """
        try:
            if self._connection is not None:
                self._connection.scalar(select(1))
                return
        except DBAPIError:
            self.release()
        self.acquire()

    def is_held(self) -> bool:
        """Whether another process holds the lock now."""
        halves = self._key & 0xFFFFFFFFFFFFFFFF
        key = {"high": halves >> 32, "low": halves & 0xFFFFFFFF}
        with self._engine.connect() as connection:
            return bool(connection.scalar(_HELD, key))

    def release(self) -> None:
        """Let go of the lock."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()  # also where the server went away
            connection.close()
