"""Every metric of boxes, of a split or of what was saved of it."""

from collections.abc import Sequence
from pathlib import Path

from models.metrics.coco_ap import coco_scores
from models.metrics.coco_files import load_scored_boxes
from models.metrics.detection_decisions import detection_decisions
from models.metrics.names import (
    AT_THRESHOLD,
    DETECTION_BY_CLASS,
    MAP_RULES,
    detection_slugs,
)
from models.metrics.scored_images import ScoredImage
from models.metrics.scored_split import ScoredSplit
from models.metrics.voc_ap import voc_scores
from models.settings import EvaluationSettings


def box_metrics(
    split: ScoredSplit, evaluation: EvaluationSettings, *, is_final: bool
) -> dict[str, float]:
    """Score boxes by every rule; what is undefined is left out.

    Args:
        split: What was found in it.
        evaluation: Its threshold is the least score for precision, recall and F1, which are the
            only ones that depend on it.
        is_final: Whether COCO's AP is computed by pycocotools, not by its faster equal.
    """
    slugs, classes = detection_slugs(split.class_names), len(split.class_names)
    coco = coco_scores(split.images, classes, "bbox", reference=is_final)
    metrics: dict[str, float | None] = {**split.averages(), **coco.summary}
    by_class = {"ap": coco.class_ap, "ap50": coco.class_ap50}
    for name, rule in MAP_RULES.items():
        scores = voc_scores(split.images, classes, rule=rule)
        metrics[name] = scores.mean
        by_class[f"{rule}_ap"] = scores.class_ap
    for own in DETECTION_BY_CLASS:
        values = zip(slugs, by_class[own], strict=True)
        metrics |= {f"{own}_{slug}": value for slug, value in values}
    defined = {name: value for name, value in metrics.items() if value is not None}
    return defined | metrics_at(split.images, classes, evaluation.threshold)


def rescore(file: Path, evaluation: EvaluationSettings) -> dict[str, float]:
    """Score saved boxes under another threshold, without a split's prefix.

    Average precision is over all scores: it stays what it was.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It is no gzip file.
        ValueError: It is no JSON, or of another format.
        KeyError: It holds something else.
    """
    saved = load_scored_boxes(file)
    kept = {name: value for name, value in saved.metrics.items() if name not in AT_THRESHOLD}
    return kept | metrics_at(saved.images, len(saved.class_names), evaluation.threshold)


def metrics_at(images: Sequence[ScoredImage], classes: int, threshold: float) -> dict[str, float]:
    """Return what depends on the least score: precision, recall and F1, over all classes."""
    decided = detection_decisions(images, classes, threshold=threshold).all
    values = {name: getattr(decided, name) for name in AT_THRESHOLD}
    return {name: value for name, value in values.items() if value is not None}
