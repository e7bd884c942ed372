"""How many cited numbers are reproduced? Verdicts counted over whole tables, in sentences."""

from collections import Counter
from collections.abc import Iterable, Sequence

from reports.baselines.comparability import Standing
from reports.baselines.verdict import ERROR, Verdict
from reports.notation import join_words, percent, plural
from reports.tables.comparison import ComparedNumber, ComparedTable

MANY = 25  # verdicts among which chance alone is worth a word


def counts_sentence(tables: Sequence[ComparedTable]) -> str:
    """Count the numbers of some tables by what may be said of them."""
    numbers = [number for table in tables for number in table.numbers]
    compared = [number for number in numbers if number.may_be_compared and number.judgement]
    if not numbers:
        return "It has no number that a verdict could be given on."
    start = f"Of {plural(len(numbers), 'number')}"
    if not compared:
        return f"{start} none may be compared with ours."
    care = sum(number.comparability.standing is Standing.CARE for number in compared)
    with_care = f" ({care} with care)" if care else ""
    return (
        f"{start} {len(compared)} may be compared with ours{with_care}: {_by_verdict(compared)}."
    )


def _by_verdict(numbers: Iterable[ComparedNumber]) -> str:
    judged = [number.judgement for number in numbers if number.judgement]
    counts = Counter(each.verdict for each in judged)
    reasons = Counter(each.reason for each in judged if each.verdict is Verdict.CANNOT_SAY)
    parts = [f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
    text = join_words(parts)
    return f"{text} ({'; '.join(reasons)})" if reasons else text


def chance_sentence(tables: Sequence[ComparedTable]) -> str:
    """Say how many differences chance alone makes among many verdicts; "" of few."""
    judged = sum(
        number.may_be_compared and number.half is not None
        for table in tables
        for number in table.numbers
    )
    if judged < MANY:
        return ""
    return (
        f"Each verdict is given at {percent(1 - ERROR)}: of {judged} that were all the same as "
        f"ours, about {max(1, round(judged * ERROR))} would be called below or above by chance."
    )
