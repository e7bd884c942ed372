"""MODELS and TASKS: every network and task a study may name. Torch-free.

Add a model: one file, one settings class, one line in its family's catalog (`classification`,
`segmentation`, `detection`, `video`); the contract tests enrol it at once. Here are the models
without a family.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from models.classification.catalog import CLASSIFIERS
from models.detection.catalog import DETECTORS
from models.entries import ModelEntry, TaskEntry, any_size
from models.loss_settings import (
    IMAGE_LOSSES,
    LOSSES_OF_SETTINGS,
    OF_PIXELS,
    SIGMOID_LOSSES,
    SOFTMAX_LOSSES,
    USUAL_IMAGE_LOSS,
    USUAL_LOSS,
)
from models.metrics.names import (
    ACTION_METRICS,
    AT_THRESHOLD,
    BACKGROUND,
    CLASSIFICATION_METRICS,
    DETECTION_METRICS,
    INSTANCE_AT_THRESHOLD,
    INSTANCE_METRICS,
    SEGMENTATION_AT_THRESHOLD,
    SEGMENTATION_METRICS,
)
from models.noop_settings import NoopSettings
from models.reference_settings import (
    IDLE_WITHOUT_GRADIENTS,
    ConstantBoxesSettings,
    ConstantSettings,
    OtsuSettings,
)
from models.segmentation.catalog import SEGMENTERS
from models.settings import TrainingSettings
from models.tabulated_settings import (
    IDLE,
    TabulatedSettings,
    most_seeds,
    objective_rule,
    training_fault,
)
from models.video.catalog import VIDEO_NETWORKS


def segmentation_channels(training: TrainingSettings, class_names: Sequence[str]) -> int:
    """Count a sigmoid per class without the background, or a softmax over all labels."""
    has_background = class_names[0] == BACKGROUND
    return len(class_names) - (training.loss not in SOFTMAX_LOSSES and has_background)


def object_channels(training: TrainingSettings, class_names: Sequence[str]) -> int:  # noqa: ARG001
    """Count the classes and the background, which no dataset of objects has as a class."""
    return len(class_names) + 1


def class_channels(training: TrainingSettings, class_names: Sequence[str]) -> int:  # noqa: ARG001
    """Count the classes: an image, or a clip, shows one of them."""
    return len(class_names)


MODELS: Mapping[str, ModelEntry] = MappingProxyType(
    {
        **CLASSIFIERS,
        **SEGMENTERS,
        **DETECTORS,
        **VIDEO_NETWORKS,
        "constant": ModelEntry(
            tasks=frozenset(
                {"semantic_segmentation", "action_recognition", "image_classification"}
            ),
            settings=ConstantSettings,
            summary="No network: each class's share of the training, as a reference",
            size_rule=any_size,
            parameters={},
            builder=None,
            trainer="models.references:train",
            idle_training=IDLE_WITHOUT_GRADIENTS,
            scorer="models.references:score_test",
        ),
        "otsu": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=OtsuSettings,
            summary="No network: dark and bright by Otsu's threshold (1979), as a reference",
            size_rule=any_size,
            parameters={},
            builder=None,
            trainer="models.references:train",
            idle_training=IDLE_WITHOUT_GRADIENTS,
            scorer="models.references:score_test",
        ),
        "constant_boxes": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=ConstantBoxesSettings,
            summary="No network: the training split's usual boxes in every image, as a reference",
            size_rule=any_size,
            parameters={},
            builder=None,
            trainer="models.references:train",
            idle_training=IDLE_WITHOUT_GRADIENTS,
            scorer="models.references:score_test",
        ),
        "noop": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=NoopSettings,
            summary="No network: a scripted trainer with planted scores and faults, for tests",
            size_rule=any_size,
            parameters={},
            builder=None,
            trainer="models.noop:train",
            scorer="models.noop:score_test",
        ),
        "tabulated": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=TabulatedSettings,
            summary="No network: recorded trainings of a small U-Net, played back to try searches",
            size_rule=any_size,
            parameters={},
            builder=None,
            trainer="models.tabulated:train",
            scorer="models.tabulated:score_test",
            objective_rule=objective_rule,
            idle_training=IDLE,
            idle_because="which plays back trainings that held it at its default",
            training_rule=training_fault,
            most_seeds=most_seeds,
        ),
    }
)
# Detectors have losses of their own.
IDLE_WITH_OBJECTS = (
    *(f"training.{name}" for name in ("loss", *LOSSES_OF_SETTINGS)),
    "evaluation.also",
)
# One class of all is chosen, the most probable one.
IDLE_WITH_ONE_CLASS = ("evaluation.threshold", "evaluation.also")
IDLE_WITH_ACTIONS = (*(f"training.{name}" for name in LOSSES_OF_SETTINGS), *IDLE_WITH_ONE_CLASS)
IDLE_WITH_IMAGES = (*(f"training.{name}" for name in OF_PIXELS), *IDLE_WITH_ONE_CLASS)
TASKS: Mapping[str, TaskEntry] = MappingProxyType(
    {
        "action_recognition": TaskEntry(
            metrics=ACTION_METRICS,
            at_threshold=(),
            output_channels=class_channels,
            builder="models.tasks.actions:build_task",
            rescore=None,  # nothing of `evaluation` changes what was predicted
            predictor="models.tasks.action_predictor:build_predictor",
            idle_settings=IDLE_WITH_ACTIONS,
            losses=("cross_entropy",),
            usual_loss="cross_entropy",
            has_single_classes=False,
            image_statistic="models.metrics.resampled_classes:image_statistic",
            resampled=("top1", "top5", "class_recall"),
        ),
        "image_classification": TaskEntry(
            metrics=CLASSIFICATION_METRICS,
            at_threshold=(),
            output_channels=class_channels,
            builder="models.tasks.classification:build_task",
            rescore=None,  # nothing of `evaluation` changes what was predicted
            predictor="models.tasks.classification_predictor:build_predictor",
            idle_settings=IDLE_WITH_IMAGES,
            losses=IMAGE_LOSSES,
            usual_loss=USUAL_IMAGE_LOSS,
            has_single_classes=False,
            image_statistic="models.metrics.resampled_classes:image_statistic",
            resampled=("top1", "top5", "class_recall"),
        ),
        "semantic_segmentation": TaskEntry(
            metrics=SEGMENTATION_METRICS,
            at_threshold=SEGMENTATION_AT_THRESHOLD,
            output_channels=segmentation_channels,
            builder="models.tasks.segmentation:build_task",
            rescore="models.metrics.segmentation:rescore",
            predictor="models.tasks.segmentation_predictor:build_predictor",
            idle_settings=("training.label_smoothing",),
            losses=SIGMOID_LOSSES + SOFTMAX_LOSSES,
            usual_loss=USUAL_LOSS,
            image_statistic="models.metrics.resampled_pixels:image_statistic",
            resampled=("iou", "iou_image_mean", "dice", "class_accuracy", "pixel_accuracy"),
        ),
        "instance_segmentation": TaskEntry(
            metrics=INSTANCE_METRICS,
            at_threshold=INSTANCE_AT_THRESHOLD,
            output_channels=object_channels,
            builder="models.tasks.instances:build_task",
            predictor="models.tasks.object_predictor:build_predictor",
            rescore=None,  # masks are kept as they are scored, without their probabilities
            idle_settings=IDLE_WITH_OBJECTS,
            has_one_size=False,
        ),
        "object_detection": TaskEntry(
            metrics=DETECTION_METRICS,
            at_threshold=AT_THRESHOLD,
            output_channels=object_channels,
            builder="models.tasks.detection:build_task",
            predictor="models.tasks.object_predictor:build_predictor",
            rescore="models.metrics.box_metrics:rescore",
            predictions="predictions_{split}.json.gz",
            idle_settings=IDLE_WITH_OBJECTS,
            has_one_size=False,
            image_statistic="models.metrics.resampled_boxes:image_statistic",
            resampled=("ap", "ap50", "ap75"),
        ),
    }
)
