"""Object detection: find each object, its class and its box."""

from collections.abc import Sequence
from pathlib import Path

from models.metrics.box_metrics import box_metrics
from models.metrics.coco_files import save_scored_split
from models.metrics.names import detection_metric_names
from models.metrics.scored_split import ScoredSplit
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.detection_files import save_analysis, save_probes, write_json
from models.tasks.detection_speed import forward_times
from models.tasks.object_evaluator import SplitResult
from models.tasks.object_strips import save_object_strip
from models.tasks.object_task import ObjectTask


class DetectionRules:
    """Boxes by COCO's rule, VOC's two, the thesis's and that of Open Images."""

    def metric_names(self, class_names: Sequence[str]) -> tuple[str, ...]:
        """Return every metric that may be computed for these classes."""
        return detection_metric_names(class_names)

    def metrics(
        self, split: ScoredSplit, evaluation: EvaluationSettings, *, is_final: bool
    ) -> dict[str, float]:
        """Return losses, measures, and average precision by every rule, as far as defined."""
        return box_metrics(split, evaluation, is_final=is_final)

    def save(
        self, folder: Path, split: str, *, result: SplitResult, evaluation: EvaluationSettings
    ) -> dict[str, str]:
        """Write truth and detections in COCO's format, and what `detection_files` lists."""
        files = {f"predictions_{split}": f"predictions_{split}.json.gz"}
        file = folder / files[f"predictions_{split}"]
        save_scored_split(file, result.split, kind="bbox", metrics=result.metrics)
        files |= save_analysis(folder, split, result.split, threshold=evaluation.threshold)
        if split == "val":
            files |= _save_probes(folder, result, evaluation.threshold)
        return files


def _save_probes(folder: Path, result: SplitResult, threshold: float) -> dict[str, str]:
    files = {
        "predictions_strip": "predictions_strip.png",
        "probe_detections": "probe_detections.json",
        "detection_speed": "detection_speed.json",
    }
    strip, probes, speed = (folder / name for name in files.values())
    names = result.split.class_names
    save_object_strip(strip, result.probes, class_names=names, least_score=threshold)
    save_probes(probes, result.probes, class_names=names, threshold=threshold)
    images = [probe.image for probe in result.probes]
    write_json(speed, forward_times(result.network, images))
    return files


def build_task(
    training: TrainingSettings,  # noqa: ARG001  # the networks have losses of their own
    evaluation: EvaluationSettings,
    class_names: Sequence[str],
) -> ObjectTask:
    """Build the task for a dataset's classes."""
    return ObjectTask(evaluation, class_names, DetectionRules())
