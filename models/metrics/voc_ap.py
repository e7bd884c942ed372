"""Mean average precision at one IoU, by the rules of PASCAL VOC, the thesis and Open Images.

    rule         detections find         precision over recall    ignored objects
    voc07        their best object       at 11 points             difficult: not counted
    voc10        their best object       whole area               difficult: not counted
    thesis       the first that fits     with_misses              not counted
    open_images  their best object       whole area               groups: each found once or missed

How detections are matched is said in `matching.py`, how precision is averaged in
`precision_recall.py`. Of Open Images only boxes are asked: there is no hierarchy of classes, so
that a box counts for its own class alone, and every class counts as verified in every image.

The +1 in the width of a box of VOC's development kit belongs to corners that are pixels. Boxes
here have edges; whoever reads such corners adds it (`visionstudy score detections` does).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from models.metrics.matching import Matcher, open_images_matches, thesis_matches, voc_matches
from models.metrics.precision_recall import (
    Ranking,
    all_points,
    eleven_points,
    mean_defined,
    rankings,
    with_misses,
)
from models.metrics.scored_images import ScoredImage

Rule: TypeAlias = Literal["voc07", "voc10", "thesis", "open_images"]
IOU = 0.5  # of every one of these rules, as published


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a rule is made of."""

    matcher: Matcher
    average: Callable[[Ranking], float | None]
    ignored_count: bool = False


PROTOCOLS: Mapping[Rule, Protocol] = MappingProxyType(
    {
        "voc07": Protocol(voc_matches, eleven_points),
        "voc10": Protocol(voc_matches, all_points),
        "thesis": Protocol(thesis_matches, with_misses),
        "open_images": Protocol(open_images_matches, all_points, ignored_count=True),
    }
)


@dataclass(frozen=True, slots=True)
class RuleScores:
    """Average precision of a split by a rule."""

    rule: Rule
    iou: float
    mean: float | None  # over classes with an object; None: there is none
    class_ap: tuple[float | None, ...]  # of each class; None: it has no object to be found

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "rule": self.rule,
            "iou": self.iou,
            "mean": self.mean,
            "class_ap": list(self.class_ap),
        }


def voc_scores(
    images: Sequence[ScoredImage], classes: int, *, rule: Rule, iou: float = IOU
) -> RuleScores:
    """Score detections against the truth.

    Args:
        images: Of a split; each once.
        classes: How many there are.
        rule: See above.
        iou: From which an object is found, in (0, 1].
    """
    protocol = PROTOCOLS[rule]
    ranked = rankings(
        images,
        classes,
        matcher=protocol.matcher,
        iou=iou,
        ignored_count=protocol.ignored_count,
    )
    class_ap = tuple(protocol.average(each) for each in ranked)
    return RuleScores(rule, iou, mean_defined(class_ap), class_ap)
