"""SVMs and box regressors, fitted to examples and put into the network."""

from collections.abc import Sequence

import numpy as np
import torch

from models.detection.rcnn.examples import FirstExamples, HardExamples
from models.detection.rcnn.linear_models import Linear, fit_boxes, fit_svm
from models.detection.rcnn.network import RCNN
from models.fitted_linear import FittedLinear


def fit_svms(network: RCNN, first: FirstExamples, hard: HardExamples | None = None) -> None:
    """Fit an SVM for each class; a class without a true box or without background has none.

    Args:
        network: Is given the SVMs.
        first: True boxes and background of the first pass.
        hard: Background of both passes, where the second one was gone.
    """
    settings = network.settings
    svms: list[Linear] = []
    for label, objects in enumerate(first.objects):
        if hard is None:
            background = first.background_of(label, settings.svm_negative_iou)
        else:
            background = hard.background[label].features
        scale = np.float32(first.svm_scale)
        svms.append(fit_svm(objects * scale, background * scale, settings.svm_c))
    _settle(network.svms, svms, first.svm_scale)


def fit_regressors(network: RCNN, first: FirstExamples, hard: HardExamples) -> None:
    """Fit the regressors of each class, where the settings ask for them."""
    if not network.settings.box_regression:
        return
    scale = np.float32(first.box_scale)
    regressors = [
        fit_boxes(pool.features * scale, pool.others, network.settings.ridge)
        for pool in hard.moves
    ]
    _settle(network.box_regression, regressors, first.box_scale)


def _settle(layer: FittedLinear, models: Sequence[Linear], scale: float) -> None:
    weights, constants = (np.concatenate(each) for each in zip(*models, strict=True))
    layer.settle(torch.from_numpy(weights), torch.from_numpy(constants), scale)
