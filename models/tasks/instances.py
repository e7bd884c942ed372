"""Instance segmentation: find each object, its class, its box and its mask."""

from collections.abc import Sequence
from pathlib import Path

from models.metrics.coco_ap import coco_scores
from models.metrics.coco_files import save_scored_split
from models.metrics.names import OBJECT_KINDS, instance_metric_names, instance_slugs
from models.metrics.scored_split import ScoredSplit
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.object_evaluator import SplitResult
from models.tasks.object_strips import save_object_strip
from models.tasks.object_task import ObjectTask

LEAST_DRAWN = 0.5  # score of an object; `evaluation.threshold` is of the pixels of its mask


class InstanceRules:
    """Masks and boxes by COCO's rule."""

    def metric_names(self, class_names: Sequence[str]) -> tuple[str, ...]:
        """Return every metric that may be computed for these classes."""
        return instance_metric_names(class_names)

    def metrics(
        self,
        split: ScoredSplit,
        evaluation: EvaluationSettings,  # noqa: ARG002  # masks are what its threshold made them
        *,
        is_final: bool,
    ) -> dict[str, float]:
        """Return loss, and AP and AR of masks and of boxes, as far as defined."""
        metrics: dict[str, float | None] = {**split.averages()}
        slugs = instance_slugs(split.class_names)
        for name, kind in OBJECT_KINDS.items():
            scores = coco_scores(split.images, len(split.class_names), kind, reference=is_final)
            metrics |= {f"{name}_{part}": value for part, value in scores.summary.items()}
            by_class = zip(slugs, scores.class_ap, strict=True)
            metrics |= {f"{name}_ap_{slug}": value for slug, value in by_class}
        return {name: value for name, value in metrics.items() if value is not None}

    def save(
        self,
        folder: Path,
        split: str,
        *,
        result: SplitResult,
        evaluation: EvaluationSettings,  # noqa: ARG002  # all rules are called alike
    ) -> dict[str, str]:
        """Write truth and detections in COCO's format, and a picture of the first images."""
        files = {f"predictions_{split}": f"predictions_{split}.json.gz"}
        file = folder / files[f"predictions_{split}"]
        save_scored_split(file, result.split, kind="segm", metrics=result.metrics)
        if split == "val":
            files["predictions_strip"] = "predictions_strip.png"
            strip = folder / files["predictions_strip"]
            names = result.split.class_names
            save_object_strip(strip, result.probes, class_names=names, least_score=LEAST_DRAWN)
        return files


def build_task(
    training: TrainingSettings,  # noqa: ARG001  # the networks have losses of their own
    evaluation: EvaluationSettings,
    class_names: Sequence[str],
) -> ObjectTask:
    """Build the task for a dataset's classes."""
    return ObjectTask(evaluation, class_names, InstanceRules())
