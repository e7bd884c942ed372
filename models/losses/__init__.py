"""Segmentation losses, one value per image.

An image's loss is over its valid pixels, and a batch's is the mean over its images. So the
gradient does not depend on how a batch is cut into micro-batches, which a mean over all valid
pixels of a batch would. An image without any valid pixel has loss 0. Every step has a
deterministic CUDA kernel. The losses of torch, torchvision and segmentation_models_pytorch, which
lack one of these, are what the tests compare with.

The labels that are neither trained on nor scored are `IGNORE`.
"""

from models.losses.cross_entropies import binary_cross_entropy, cross_entropy
from models.losses.dice import dice, softmax_dice
from models.losses.focal import sigmoid_focal, softmax_focal
from models.losses.lovasz import lovasz_hinge, lovasz_softmax
from models.losses.pixels import IGNORE, one_hot

__all__ = [
    "IGNORE",
    "binary_cross_entropy",
    "cross_entropy",
    "dice",
    "lovasz_hinge",
    "lovasz_softmax",
    "one_hot",
    "sigmoid_focal",
    "softmax_dice",
    "softmax_focal",
]
