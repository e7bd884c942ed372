"""What published weights leave random must learn, and must not be scored."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from models.catalog import MODELS
from models.detection.darknet.layers import DarknetLayers
from models.detection.darknet.weights_file import write_weights
from models.detection.yolo.pretrained import PUBLISHED
from models.freezing import freeze
from models.named_layers import TransferError
from models.resolve import resolve
from models.session import StartingWeights
from models.settings import TrainingSettings
from models.start_check import check_start
from models.starting import put_start

SMALL = {"pyramid_channels": 32, "head_width": 8}
ON_IMAGENET = {"name": "faster_rcnn_mobilenet", "pretrained": "imagenet", **SMALL}
ON_COCO = {"name": "yolov3_tiny", "pretrained": "coco"}


def built(model: dict[str, Any], classes: int) -> nn.Module:
    entry = MODELS[model["name"]]
    network: nn.Module = resolve(str(entry.builder))(
        entry.settings.model_validate(model), classes + 1
    )
    return network


def check(
    model: dict[str, Any],
    training: dict[str, Any],
    names: tuple[str, ...],
    start: StartingWeights | None = None,
) -> None:
    check_start(
        lambda: built(model, len(names)),
        MODELS[model["name"]].settings.model_validate(model),
        TrainingSettings.model_validate(training),
        start,
        class_names=names,
    )


class TestFrozenLayers:
    """Faster R-CNN from ImageNet: its pyramid, proposals and box head are random."""

    @pytest.mark.parametrize(
        ("transfer", "first"),
        [
            ({"mode": "feature_extractor"}, "backbone.fpn"),
            ({"freeze_to": "rpn"}, "backbone.fpn"),
            ({"freeze_to": "roi_heads.box_predictor"}, "backbone.fpn"),
        ],
    )
    def test_random_ones_are_refused_before_anything_is_downloaded(
        self, transfer: dict[str, Any], first: str, weights_cache: Path
    ) -> None:
        with pytest.raises(TransferError, match=f"must come from somewhere, but {first}"):
            check(ON_IMAGENET, {"transfer": transfer}, ("cell",))
        assert list(weights_cache.iterdir()) == []

    def test_those_that_are_pretrained_may_be_kept(self) -> None:
        check(ON_IMAGENET, {"transfer": {"freeze_to": "backbone.fpn"}}, ("cell",))
        coco = {**ON_COCO, "name": "faster_rcnn_resnet"}
        check(coco, {"transfer": {"mode": "feature_extractor"}}, ("cell",))

    def test_a_trial_tells_them_by_what_was_put_into_them(self, weights_cache: Path) -> None:
        published = DarknetLayers(PUBLISHED["yolov3_tiny", "coco"].sections)
        write_weights(weights_cache / "yolov3-tiny.weights", published)
        settings = MODELS["yolov3_tiny"].settings.model_validate(ON_COCO)
        for names, frozen_to, is_fault in (
            (("cell",), "darknet.layers.13", False),
            (("cell",), "darknet.layers.18", True),  # with the scores of the first map
            (("person",), "darknet.layers.18", False),
        ):
            training = TrainingSettings.model_validate({"transfer": {"freeze_to": frozen_to}})
            network = built(ON_COCO, 1)
            freeze(network, training.transfer)
            if is_fault:
                with pytest.raises(TransferError, match=r"but darknet\.layers\.15\.conv\.weight"):
                    put_start(network, settings, training, None, class_names=names)
            else:
                put_start(network, settings, training, None, class_names=names)


class TestNoEpochs:
    def test_layers_or_classes_that_are_all_random_are_not_scored(self) -> None:
        message = r"0 epochs score .* but .* would be random; train for at least 1 epoch"
        for model, names in (
            (ON_IMAGENET, ("person",)),
            (ON_COCO, ("cell",)),
            (ON_COCO, tuple(f"cell {i}" for i in range(80))),  # as many rows, but of others
            ({**ON_COCO, "priors": ((10, 10), (20, 20), (30, 30), (40, 40))}, ("person",)),
        ):
            with pytest.raises(TransferError, match=message):
                check(model, {"epochs": 0}, names)
            check(model, {"epochs": 1}, names)

    def test_an_earlier_training_of_other_classes_is_not_scored(self, tmp_path: Path) -> None:
        model = {"name": "localizer"}
        file = tmp_path / "best-1.pt"
        torch.save(built(model, 1).state_dict(), file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        start = StartingWeights("study:first", file, digest, ("person",))
        training = {"epochs": 0, "transfer": {"init_from": "study:first"}}
        check(model, training, ("cell", "person"), start)
        with pytest.raises(TransferError, match="but last would be random"):
            check(model, training, ("cell",), start)

    def test_some_new_classes_are_recorded_and_warned_of(
        self, weights_cache: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        published = DarknetLayers(PUBLISHED["yolov3_tiny", "coco"].sections)
        write_weights(weights_cache / "yolov3-tiny.weights", published)
        names = ("Person", "cell", "traffic_light", "aeroplane")
        settings = MODELS["yolov3_tiny"].settings.model_validate(ON_COCO)
        network = built(ON_COCO, len(names))
        with caplog.at_level(logging.WARNING):
            found = put_start(
                network, settings, TrainingSettings(epochs=0), None, class_names=names
            )
        (record,) = found["pretrained"]
        assert record["classes"] == "Person, traffic_light, aeroplane"
        assert record["new_classes"] == "cell"
        assert "pretrained 'coco' knows no class named cell, which start anew" in caplog.text
        ours = network.get_parameter("darknet.layers.15.conv.weight").view(3, 9, -1)
        theirs = published.get_parameter("layers.15.conv.weight").view(3, 85, -1)
        for place, row in ((0, 0), (2, 9), (3, 4)):  # COCO's person, traffic light, airplane
            assert torch.equal(ours[:, 5 + place], theirs[:, 5 + row])
