"""Whether a launch asks the same study as the launches before it.

StudyChangedError   it asks another; what was measured could not be compared
"""

from collections.abc import Mapping

from studies.running.progress import View
from studies.running.start_preflight import START_FACT
from studies.spec.diff import Change, classify_changes, is_refused, render_changes
from studies.spec.load import LoadedStudy
from studies.tree.ledger import Ledger


class StudyChangedError(ValueError):
    """The study file asks something else than when the study was first launched."""

    def __init__(self, changes: list[Change], study: str) -> None:
        self.changes = changes
        super().__init__(render_changes(changes, study))


def accept_changes(
    loaded: LoadedStudy, ledger: Ledger, view: View, *, environment: Mapping[str, str]
) -> None:
    """Refuse a study that became another one; show what else changed."""
    earlier = ledger.study(loaded.spec.study)
    if earlier is None:
        return
    changes = classify_changes(earlier["resolved"], loaded.resolved)
    if ledger.results(loaded.spec.study):
        changes += _changed_ground(earlier["environment"], environment)
    if is_refused(changes):
        raise StudyChangedError(changes, loaded.spec.study)
    if changes:
        view.say(render_changes(changes, loaded.spec.study))


def require_same_data(study: str, ledger: Ledger, used: Mapping[str, str]) -> None:
    """Refuse to go on with other images than the trials so far had.

    Files that broke or were mended since are not seen by the data's fingerprint, and cells
    trained and scored with and without them cannot be compared.
    """
    earlier = ledger.study(study)
    if earlier is None or not ledger.trials(study):
        return
    before = earlier["environment"]
    if before.get("data_used", used.get("data_used")) != used.get("data_used"):
        change = Change(
            "(images left out)", before["data_left_out"], used["data_left_out"], "refused"
        )
        raise StudyChangedError([change], study)


def _changed_ground(before: Mapping[str, str], now: Mapping[str, str]) -> list[Change]:
    """Return what is not in the file and yet makes every measured cell another one."""
    return [
        Change(f"({fact.replace('_', ' ')})", before.get(fact), now.get(fact), "refused")
        for fact in ("data_fingerprint", "numerics")
        if before.get(fact) != now.get(fact)
    ] + [
        Change(f"({fact})", before[fact], now[fact], "refused")
        for fact in now
        if fact.startswith(START_FACT) and before.get(fact, now[fact]) != now[fact]
    ]
