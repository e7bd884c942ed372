"""What reports cite of a network of the catalog is what the catalog itself says."""

from typing import Any

import pytest

from models.classification.published import PUBLISHED
from reports.baselines.networks import published_network


@pytest.mark.parametrize(
    "each", [p for p in PUBLISHED if p.top1 is not None], ids=lambda p: p.label
)
def test_what_reports_cite_is_what_the_catalog_says(each: Any) -> None:
    found = published_network(each.model, each.settings)

    assert found is not None
    assert found.top1 == pytest.approx(each.top1, abs=5e-4)
    if each.top5 is not None and found.top5 is not None:
        assert found.top5 == pytest.approx(each.top5, abs=5e-4)


def test_another_width_is_another_network() -> None:
    assert published_network("mobilenet_v2", {"width": 0.5}) is None
    assert published_network("mobilenet_v2", {"width": 1.0}) is not None
    assert published_network("small_cnn", {}) is None
