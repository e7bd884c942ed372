"""How long to wait for a server, and how often to ask it again."""

import email.utils
import random
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds. Attempts are counted from the last one that brought anything new."""

    connect_s: float = 10.0
    stall_s: float = 30.0  # without a byte
    attempts: int = 6
    first_pause_s: float = 1.0  # doubles with every failure
    longest_pause_s: float = 60.0
    longest_request_s: float = 600.0  # of a server that says "Retry-After"; longer is a refusal

    def pause_s(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row, from 1.

        Half of it is drawn, so that many clients do not come back at the same moment.
        """
        longest = min(self.longest_pause_s, self.first_pause_s * 2.0 ** (failures - 1))
        # Not the trials' generators: when a file is asked for again changes no result.
        return longest * random.uniform(0.5, 1.0)


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """Read a Retry-After header, seconds or a date; None without a readable one."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
