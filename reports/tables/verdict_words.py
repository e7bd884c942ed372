"""A verdict as a reader sees it: a mark, and a sentence that says what it rests on."""

from collections.abc import Mapping
from types import MappingProxyType

from reports.baselines.verdict import Judgement, Verdict
from reports.notation import plural, score, signed

# They differ in shape, so that no colour is needed.
MARKS: Mapping[Verdict, str] = MappingProxyType(
    {
        Verdict.REPRODUCED: "\N{CHECK MARK}",
        Verdict.WITHIN_NOISE: "\N{ALMOST EQUAL TO}",
        Verdict.BELOW: "\N{BLACK DOWN-POINTING TRIANGLE}",
        Verdict.ABOVE: "\N{BLACK UP-POINTING TRIANGLE}",
        Verdict.CANNOT_SAY: "?",
    }
)


def judgement_sentence(judgement: Judgement) -> str:
    """Say what a verdict rests on."""
    if judgement.reason or judgement.half is None or judgement.difference is None:
        return f"{judgement.verdict}: {judgement.reason}"
    seeds = plural(judgement.seeds, "seed")
    text = (
        f"{judgement.verdict}: {signed(judgement.difference)} over {seeds}, where chance makes up "
        f"to {score(judgement.half)}"
    )
    if judgement.verdict is Verdict.WITHIN_NOISE and judgement.margin is not None:
        text += f"; too wide to say that it is within {score(judgement.margin)}"
    return text
