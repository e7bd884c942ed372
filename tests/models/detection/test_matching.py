import pytest
import torch
from torchvision.models.detection._utils import (  # type: ignore[import-untyped]
    Matcher,
    SSDMatcher,
)

from models.detection.matching import NONE
from models.detection.one_stage import objects_of

BOXES = torch.tensor([[0.0, 0, 8, 8], [16, 16, 24, 24], [0, 16, 8, 24]])
FAR = (40.0, 40.0, 50.0, 50.0)


@pytest.mark.parametrize(
    "matcher", [SSDMatcher(0.5), Matcher(0.5, 0.4, allow_low_quality_matches=True)]
)
@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ([FAR], [NONE, NONE, NONE]),
        ([(0.0, 0.0, 8.0, 8.0), FAR], [0, NONE, NONE]),
        ([FAR, (6.0, 14.0, 24.0, 24.0)], [NONE, 1, NONE]),  # overlaps the third a little too
    ],
)
def test_object_that_no_box_overlaps_takes_none_from_the_others(
    matcher: Matcher, objects: list[tuple[float, ...]], expected: list[int]
) -> None:
    assert objects_of(matcher, torch.tensor(objects), BOXES).tolist() == expected
