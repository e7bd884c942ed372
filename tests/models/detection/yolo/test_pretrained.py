"""Darknet's published weights, as files of the right length in a cache of our own."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from models.catalog import MODELS
from models.detection.darknet.class_names import COCO_NAMES, VOC_NAMES
from models.detection.darknet.layers import DarknetLayers
from models.detection.darknet.weights_file import layout_of, write_weights
from models.detection.yolo import architectures, pretrained
from models.detection.yolo.anchored import AnchoredYOLO
from models.detection.yolo.pretrained import PUBLISHED, PublishedWeights, load_yolo
from models.detection.yolo.settings import YOLOv2Settings, YOLOv3Settings, YOLOv3TinySettings
from models.pretrained import PretrainedWeightsError
from models.pretrained_settings import pretrained_fault
from models.resolve import resolve

BYTES = {  # of the files as they are known; those of `expected.json` among them
    "darknet19_448.conv.23": 79_327_120,
    "darknet53.conv.74": 162_482_580,
    "yolov2.weights": 203_934_260,
    "yolov2-voc.weights": 202_704_260,
    "yolov3.weights": 248_007_048,
    "yolov3-tiny.weights": 35_434_956,
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return folder


def built(name: str, classes: int, **settings: Any) -> AnchoredYOLO:
    entry = MODELS[name]
    network = resolve(str(entry.builder))(
        entry.settings.model_validate({"name": name, **settings}), classes + 1
    )
    assert isinstance(network, AnchoredYOLO)
    return network


@pytest.mark.parametrize("key", PUBLISHED)
def test_files_are_as_long_as_they_are_known_to_be(key: tuple[str, str]) -> None:
    published = PUBLISHED[key]
    with torch.device("meta"):
        floats = layout_of(DarknetLayers(published.sections), published.layers).floats
    header = BYTES[published.name] - 4 * floats
    assert header in (16, 20)


@pytest.mark.parametrize("name", ["yolov2", "yolov3", "yolov3_tiny"])
def test_every_setting_has_a_file(name: str) -> None:
    field = MODELS[name].settings.model_fields["pretrained"]
    choices = set(field.annotation.__args__) - {"none"}  # type: ignore[union-attr]  # a Literal
    assert choices == {pretrained for model, pretrained in PUBLISHED if model == name}


class TestTiny:
    """The smallest network that has a file, at its whole width: 35 MB."""

    @pytest.fixture
    def file(self, cache: Path) -> DarknetLayers:
        torch.manual_seed(1)
        network = DarknetLayers(PUBLISHED["yolov3_tiny", "coco"].sections)
        write_weights(cache / "yolov3-tiny.weights", network)
        return network

    def test_weights_of_as_many_classes_are_loaded_whole(self, file: DarknetLayers) -> None:
        settings = YOLOv3TinySettings(pretrained="coco")
        network = built("yolov3_tiny", 80, pretrained="coco")
        (loaded,) = load_yolo(network, settings)
        assert loaded.file == "yolov3-tiny.weights"
        assert loaded.url == "https://pjreddie.com/media/files/yolov3-tiny.weights"
        assert len(loaded.sha256) == 64
        assert differing(network.darknet, file) == set()

    @pytest.mark.parametrize(
        ("classes", "settings"),
        [(3, {}), (80, {"priors": ((10, 10), (20, 20), (30, 30), (40, 40))})],
    )
    def test_last_layers_of_other_classes_or_priors_stay_new(
        self, file: DarknetLayers, classes: int, settings: dict[str, Any]
    ) -> None:
        network = built("yolov3_tiny", classes, pretrained="coco", **settings)
        before = {name: value.clone() for name, value in network.darknet.state_dict().items()}
        load_yolo(network, YOLOv3TinySettings(pretrained="coco"))
        last = {f"layers.{index}.conv.{part}" for index in (15, 22) for part in ("weight", "bias")}
        assert differing(network.darknet, file) == last
        after = network.darknet.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in last)

    @pytest.mark.usefixtures("file")
    def test_file_that_broke_off_is_told(self, cache: Path) -> None:
        path = cache / "yolov3-tiny.weights"
        path.write_bytes(path.read_bytes()[:-4])
        with pytest.raises(
            PretrainedWeightsError, match=r"must hold 8,858,734 numbers .* got 8,858,733: it broke"
        ):
            load_yolo(built("yolov3_tiny", 3), YOLOv3TinySettings(pretrained="coco"))


def test_weights_of_a_classifier_are_put_into_the_first_layers(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a file of an eighth of the filters, as the network is."""
    sections = tuple(architectures.darknet19(0.125))
    small = PublishedWeights("darknet19_448.conv.23", sections, 23)
    monkeypatch.setattr(pretrained, "PUBLISHED", {("yolov2", "imagenet"): small})
    torch.manual_seed(1)
    file = DarknetLayers(sections)
    write_weights(cache / "darknet19_448.conv.23", file, version=(0, 1, 0))
    network = built("yolov2", 2, width=0.125)
    load_yolo(network, YOLOv2Settings(pretrained="imagenet"))
    assert differing(network.darknet, file) == set()


@pytest.mark.parametrize(("name", "first"), [("yolov2", "darknet19"), ("yolov3", "darknet53")])
def test_networks_begin_with_their_classifiers_layers(name: str, first: str) -> None:
    whole = PUBLISHED[name, "coco"].sections
    classifier = PUBLISHED[name, "imagenet"].sections
    assert whole[: len(classifier)] == classifier
    assert len(getattr(architectures, first)(1)) == len(classifier)


class TestPixels:
    def test_darknets_weights_need_pixels_that_were_not_normalised(self) -> None:
        settings = YOLOv3Settings(pretrained="coco")
        assert pretrained_fault(settings, is_normalized=False) is None
        message = pretrained_fault(settings, is_normalized=True)
        assert message is not None
        assert "expect pixels in [0, 1]" in message
        assert "remove data.normalize" in message

    def test_without_weights_pixels_may_be_normalised(self) -> None:
        assert pretrained_fault(YOLOv3Settings(), is_normalized=True) is None

    def test_network_brings_pixels_to_where_darknet_has_them(self) -> None:
        network = built("yolov3_tiny", 1, width=0.1)
        seen: list[tuple[float, float]] = []
        network.darknet.register_forward_pre_hook(
            lambda _, given: seen.append((float(given[0].min()), float(given[0].max())))
        )
        network.maps(torch.linspace(-1, 1, 3 * 64 * 64).reshape(1, 3, 64, 64))
        assert seen == [(0.0, 1.0)]


def test_names_are_darknets_but_for_cocos_spelling_of_six(real_data: Path) -> None:
    file = real_data / "metrics_fixtures" / "darknet_cfg" / "coco.names"
    theirs = file.read_text().split("\n")[:80]
    spelled = dict(zip(COCO_NAMES, theirs, strict=True))
    assert {ours: name for ours, name in spelled.items() if ours != name} == {
        "motorcycle": "motorbike",
        "airplane": "aeroplane",
        "couch": "sofa",
        "potted plant": "pottedplant",
        "dining table": "diningtable",
        "tv": "tvmonitor",
    }
    assert len(VOC_NAMES) == 20
    assert sorted(VOC_NAMES) == list(VOC_NAMES)


def differing(network: nn.Module, file: nn.Module) -> set[str]:
    """Return the names of the file's weights that the network does not have."""
    state = network.state_dict()
    return {
        name
        for name, value in file.state_dict().items()
        if state[name].shape != value.shape or not torch.equal(state[name], value)
    }
