import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data_pipeline.datasets.voc_xml import read_annotation
from models.detection.outputs import Detection, Target, Targets
from models.metrics.coco_ap import coco_scores
from models.metrics.scored_images import Objects, ScoredImage
from models.pretrained import WeightsSource

CLASSES = ("Platelets", "RBC", "WBC")
# Of BCCD's training split; they hold all classes, and ten objects each at most.
EIGHT = ("00123", "00127", "00142", "00154", "00158", "00163", "00187", "00270")


@dataclass(frozen=True)
class RealImages:
    """Eight photographs of blood cells with their boxes, as a network sees them."""

    side: int  # pixels; they are stretched to squares
    images: list[Tensor]  # (3, side, side) in [-1, 1]
    targets: list[Target]
    class_names: tuple[str, ...] = CLASSES

    def batch(self, *chosen: int) -> tuple[list[Tensor], Targets]:
        return [self.images[i] for i in chosen], Targets([self.targets[i] for i in chosen])

    def ap50(self, network: nn.Module) -> float:
        """Return COCO's AP50 of a network's detections on all eight."""
        network.eval()
        with torch.no_grad():
            found: list[Detection] = network(self.images)
        scored = [self._scored(index, detection) for index, detection in enumerate(found)]
        return coco_scores(scored, len(self.class_names), "bbox").summary["ap50"] or 0.0

    def _scored(self, index: int, detection: Detection) -> ScoredImage:
        truth = self._objects(self.targets[index]["labels"], self.targets[index]["boxes"])
        return ScoredImage(
            image_id=str(index),
            size_hw=(self.side, self.side),
            pixel_area=1.0,
            truth=truth,
            truth_areas=np.ones(len(truth.labels)),
            is_ignored=np.zeros(len(truth.labels), np.bool_),
            found=self._objects(detection["labels"], detection["boxes"]),
            scores=detection["scores"].double().numpy(),
        )

    @staticmethod
    def _objects(labels: Tensor, boxes: Tensor) -> Objects:
        return Objects((labels - 1).numpy(), boxes.double().numpy(), None)


@pytest.fixture(scope="session")
def eight_images(real_data: Path) -> Callable[[int], RealImages]:
    """Read eight real images for a side in pixels: `eight_images(128)`."""

    def made(side: int) -> RealImages:
        pairs = [_at_size(real_data / "bccd", f"BloodImage_{number}", side) for number in EIGHT]
        return RealImages(side, [image for image, _ in pairs], [found for _, found in pairs])

    return made


def _at_size(root: Path, name: str, side: int) -> tuple[Tensor, Target]:
    picture = cv2.imread(str(root / "JPEGImages" / f"{name}.jpg"))
    assert picture is not None
    height, width = picture.shape[:2]
    pixels = cv2.cvtColor(
        cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB
    )
    annotation = read_annotation(root / "Annotations" / f"{name}.xml", first_pixel=0)
    boxes = torch.tensor([each.box_xyxy for each in annotation.objects])
    return torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1, {
        "boxes": boxes * torch.tensor([side / width, side / height] * 2),
        "labels": torch.tensor(
            [1 + CLASSES.index(each.class_name) for each in annotation.objects]
        ),
    }


@pytest.fixture
def weights_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of pretrained weights, empty; what is put there passes for the real."""
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(  # a file's name ends with the first digits of its hash
        WeightsSource,
        "named_by_hash",
        classmethod(lambda cls, url: cls(url, url.rpartition("/")[2])),
    )
    yield folder
    shutil.rmtree(folder)  # hundreds of megabytes
