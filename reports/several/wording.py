"""How the difference of two studies is said, in the terminal and on the page."""

from reports.baselines.verdict import DifferenceJudgement
from reports.notation import signed


def difference_text(found: DifferenceJudgement) -> str:
    """Write it: "+0.021 (+0.004 to +0.038, paired t by seed): above"."""
    interval = "" if found.low is None else f" ({interval_text(found)}, {found.method})"
    reason = f": {found.reason}" if found.reason else ""
    return f"{signed(found.difference)}{interval}: {found.verdict}{reason}"


def interval_text(found: DifferenceJudgement) -> str:
    """Write the interval of a difference, or why there is none."""
    if found.low is None or found.high is None:
        return found.reason
    return f"{signed(found.low)} to {signed(found.high)}"
