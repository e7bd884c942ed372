"""The record that a report is made of: with what only `studies` can compute."""

from studies.running.price_records import with_prices
from studies.search.importance import with_importance
from trackers.records import StudyRecord


def for_report(study: StudyRecord) -> StudyRecord:
    """Add the importance of settings and the prices of devices."""
    return with_prices(with_importance(study))
