"""What is found in an image, and what would be learnt of it, whatever is scored beside it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from models.detection.detector import Detector, alike
from models.detection.faster_rcnn import build_resnet
from models.detection.faster_rcnn_settings import FasterRCNNResNetSettings
from models.detection.one_stage_settings import RetinaNetSettings
from models.detection.outputs import Scored, Target, Targets
from models.detection.retinanet import build_retinanet

SIZES_HW = ((64, 96), (128, 70), (64, 90), (100, 160), (64, 96))
SHARE_A_PASS = (0, 2, 4)  # of them, padded to multiples of 32 pixels
SMALL: dict[str, Any] = {
    "backbone": "resnet18",
    "norm": "group",  # its mean is over the whole of what is padded
    "pyramid_channels": 32,
    "score_threshold": 0.0,
    "detections": 10,
}


def two_stage() -> Detector:
    few = {"anchor_sizes": (8, 16, 32, 48, 64), "head_width": 16, "proposals": 20}
    return build_resnet(FasterRCNNResNetSettings.model_validate({**SMALL, **few}), 3)


def one_stage() -> Detector:
    network = build_retinanet(RetinaNetSettings.model_validate(SMALL), 3)
    # Untrained, all places score alike: rounding would choose which are found, and their order.
    head: Any = network.head["classification_head"]
    torch.nn.init.normal_(head.cls_logits.weight, std=0.5)
    return network


def scene() -> tuple[list[Tensor], list[Target]]:
    generator = torch.Generator().manual_seed(5)
    images = [torch.randn(3, *size_hw, generator=generator) for size_hw in SIZES_HW]
    boxes = [torch.tensor([[4.0, 6.0, 40.0 + 3 * i, 44.0]]) for i in range(len(images))]
    return images, [{"boxes": each, "labels": torch.tensor([1])} for each in boxes]


@pytest.mark.parametrize("build", [two_stage, one_stage])
def test_scores_do_not_depend_on_the_batch(build: Callable[[], Detector]) -> None:
    torch.manual_seed(0)
    network = build().eval()
    images, targets = scene()
    with torch.no_grad():
        together: Scored = network(images, Targets(targets))
        found = network(images)
        alone = [
            network([image], Targets([target]))
            for image, target in zip(images, targets, strict=True)
        ]
    for index, single in enumerate(alone):
        # Where convolutions see several images at once they round otherwise.
        near = {"rtol": 1e-4, "atol": 1e-4} if index in SHARE_A_PASS else {"rtol": 0, "atol": 0}
        expected = single.detections[0]
        for several in (together.detections[index], found[index]):
            torch.testing.assert_close(several["boxes"], expected["boxes"], **near)
            torch.testing.assert_close(several["labels"], expected["labels"])
            torch.testing.assert_close(several["scores"], expected["scores"], **near)
        for of_all, of_one in zip(together[1:], single[1:], strict=True):
            assert set(of_all) == set(of_one)
            for name, values in of_one.items():
                torch.testing.assert_close(of_all[name][index], values[0], **near)


def test_images_share_a_pass_where_each_is_padded_as_if_by_itself() -> None:
    images = [torch.zeros(3, *size_hw) for size_hw in SIZES_HW]
    assert alike(images, stride=32) == [list(SHARE_A_PASS), [1], [3]]
    assert alike(images, stride=1) == [[0, 4], [1], [2], [3]]
