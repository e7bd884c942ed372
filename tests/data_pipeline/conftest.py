"""Settings of the datasets that can be read here."""

from pathlib import Path

import pytest

from data_pipeline.datasets.settings.boxes import CocoData
from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.datasets.settings.pictures import CamVidData


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> StreetScenesData:
    """A few small street scenes, drawn once."""
    return StreetScenesData(
        images=20,
        picture_width=96,
        picture_height=72,
        image_size=32,
        drawn_in=tmp_path_factory.mktemp("scenes"),
    )


@pytest.fixture(scope="session")
def coco(real_data: Path) -> CocoData:
    return CocoData(root=real_data / "coco_mini", image_size=32)


@pytest.fixture(scope="session")
def camvid(real_data: Path) -> CamVidData:
    return CamVidData(root=real_data / "camvid_mini", image_size=32)
