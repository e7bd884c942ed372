"""Weight files against the published networks' sizes, and against a reading of our own."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.cost import count_parameters
from models.detection.darknet.cfg import Section, read_cfg
from models.detection.darknet.layers import DarknetLayers
from models.detection.darknet.weights_file import layout_of, read_weights, write_weights
from models.detection.yolo import architectures
from models.pretrained import PretrainedWeightsError

CONVOLUTION = {"size": "3", "stride": "1", "pad": "1", "activation": "leaky"}
TINY = (
    Section("convolutional", {"batch_normalize": "1", "filters": "4", **CONVOLUTION}),
    Section("convolutional", {"filters": "2", **CONVOLUTION}),
)


@pytest.fixture(scope="module")
def published(real_data: Path) -> Path:
    return real_data / "metrics_fixtures" / "darknet_cfg"


@pytest.mark.parametrize("name", ["yolov3", "yolov3-tiny"])
class TestPublishedCfg:
    def expected(self, published: Path, name: str) -> dict[str, int]:
        found: dict[str, int] = json.loads((published / "expected.json").read_text())[name]
        return found

    def test_numbers_in_the_weight_file_are_counted_from_it(
        self, published: Path, name: str
    ) -> None:
        expected = self.expected(published, name)
        with torch.device("meta"):
            network = DarknetLayers(read_cfg(published / f"{name}.cfg"))
        assert len(network.layers) == expected["layers"]
        assert len(list(network.convolutions())) == expected["convolutional"]
        assert len(network.ends) == expected["yolo_heads"]
        assert layout_of(network).floats == expected["floats_in_weights_file"]
        assert count_parameters(network) == expected["trainable_parameters"]
        assert 20 + 4 * layout_of(network).floats == expected["weights_file_bytes"]

    def test_our_network_has_its_layers(self, published: Path, name: str) -> None:
        ours = {"yolov3": architectures.yolov3, "yolov3-tiny": architectures.yolov3_tiny}
        theirs = read_cfg(published / f"{name}.cfg")
        for index, (one, other) in enumerate(zip(ours[name](1, 255), theirs, strict=True)):
            assert one.kind == other.kind, index
            if one.kind != "yolo":  # whose options are training's
                assert one.options == other.options, index


class TestRoundTrip:
    @pytest.mark.parametrize(
        ("version", "header"), [((0, 1, 0), 16), ((0, 2, 0), 20), ((1000, 2, 0), 16)]
    )
    def test_weights_come_back_whatever_the_version(
        self, tmp_path: Path, version: tuple[int, int, int], header: int
    ) -> None:
        network, file = noisy(TINY, seed=1), tmp_path / "some.weights"
        write_weights(file, network, version=version, seen=12_800)
        assert file.stat().st_size == header + 4 * layout_of(network).floats
        found = read_weights(file, layout_of(network))
        other = noisy(TINY, seed=2)
        assert other.load_state_dict(found, strict=False).unexpected_keys == []
        state = network.state_dict()
        assert all(torch.equal(state[name], other.state_dict()[name]) for name in found)
        assert set(state) - set(found) == {"layers.0.norm.num_batches_tracked"}

    def test_numbers_lie_as_darknet_reads_them(self, tmp_path: Path) -> None:
        network, file = noisy(TINY, seed=1), tmp_path / "some.weights"
        write_weights(file, network, seen=7)
        assert struct.unpack_from("<3iq", file.read_bytes()) == (0, 2, 0, 7)
        numbers = np.frombuffer(file.read_bytes(), "<f4", offset=20)
        first, second = (layer for _, layer in network.convolutions())
        assert first.norm is not None
        assert second.conv.bias is not None
        parts = (
            first.norm.bias,
            first.norm.weight,
            first.norm.running_mean,
            first.norm.running_var,
            first.conv.weight,
            second.conv.bias,
            second.conv.weight,
        )
        expected = torch.cat([part.detach().flatten() for part in parts if part is not None])
        assert np.array_equal(numbers, expected.numpy())

    def test_first_layers_can_be_read_alone(self, tmp_path: Path) -> None:
        network, file = noisy(TINY, seed=1), tmp_path / "some.conv.1"
        write_weights(file, noisy(TINY[:1], seed=1))
        found = read_weights(file, layout_of(network, layers=1))
        assert {name.split(".")[1] for name in found} == {"0"}


@pytest.mark.parametrize(("change", "got"), [(-4, "197"), (+4, "199"), (-2, "197 and 2 bytes")])
def test_file_of_another_length_is_told_with_both_counts(
    tmp_path: Path, change: int, got: str
) -> None:
    network, file = noisy(TINY, seed=1), tmp_path / "some.weights"
    write_weights(file, network)
    content = file.read_bytes()
    file.write_bytes(content[:change] if change < 0 else content + bytes(change))
    with pytest.raises(PretrainedWeightsError) as caught:
        read_weights(file, layout_of(network))
    assert str(caught.value) == (
        f"{file} must hold 198 numbers after its header, as the network has them, got "
        f"{got}: it broke off, or is of another network; delete it, so that it is downloaded "
        "anew, or put the right one there"
    )


def test_file_without_a_header_is_told(tmp_path: Path) -> None:
    file = tmp_path / "some.weights"
    file.write_bytes(b"<html>")
    with pytest.raises(PretrainedWeightsError, match="header of 20 bytes, got 6 bytes; delete"):
        read_weights(file, layout_of(noisy(TINY)))


@pytest.mark.parametrize("name", ["yolov3", "yolov3-tiny"])
def test_our_network_computes_what_the_cfg_and_the_weight_file_say(
    published: Path, tmp_path: Path, name: str
) -> None:
    """With an eighth of the filters, the cfg is run by a program that shares no code with ours."""
    ours = {"yolov3": architectures.yolov3, "yolov3-tiny": architectures.yolov3_tiny}
    network, file = noisy(ours[name](0.125, 24), seed=3), tmp_path / "some.weights"
    write_weights(file, network)
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(4)).double()
    expected = _run(published / f"{name}.cfg", file, image)
    with torch.no_grad():
        found = network.double().eval()(image)
    assert len(found) == len(expected) > 1
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def noisy(sections: Any, seed: int = 0) -> DarknetLayers:
    """Return a network whose normalisation has statistics, too."""
    torch.manual_seed(seed)
    network = DarknetLayers(sections)
    for _, layer in network.convolutions():
        if layer.norm is not None:
            for part in (layer.norm.bias, layer.norm.running_mean):
                assert part is not None
                torch.nn.init.normal_(part, std=0.1)
            for part in (layer.norm.weight, layer.norm.running_var):
                assert part is not None
                torch.nn.init.uniform_(part, 0.5, 1.5)
    return network


def _run(cfg: Path, weights: Path, image: Tensor) -> list[Tensor]:
    """Run a cfg with an eighth of its filters, straight from the text and the numbers."""
    blocks = cfg.read_text().split("[")[2:]
    numbers = torch.from_numpy(np.fromfile(weights, "<f4", offset=20)).double()
    outputs: list[Tensor] = []
    ends: list[Tensor] = []
    for block in blocks:
        kind, _, rest = block.partition("]")
        lines = (line.replace(" ", "").split("=") for line in rest.splitlines() if "=" in line)
        options = {pair[0]: pair[1] for pair in lines if not pair[0].startswith("#")}
        values = outputs[-1] if outputs else image
        if kind == "convolutional":
            values, numbers = _convolved(values, options, numbers)
        elif kind == "yolo":
            ends.append(values)
        else:
            values = _unweighted(kind, options, [*outputs])
        outputs.append(values)
    assert len(numbers) == 0
    return ends


def _unweighted(kind: str, options: dict[str, str], outputs: list[Tensor]) -> Tensor:
    values = outputs[-1]
    if kind == "upsample":
        return values.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    if kind == "shortcut":
        return values + outputs[int(options["from"])]
    if kind == "route":
        return torch.cat([outputs[int(each)] for each in options["layers"].split(",")], 1)
    assert kind == "maxpool"
    if options["stride"] == "1":
        values = functional.pad(values, (0, 1, 0, 1), value=-1e30)
    return functional.max_pool2d(values, 2, int(options["stride"]))


def _convolved(values: Tensor, options: dict[str, str], numbers: Tensor) -> tuple[Tensor, Tensor]:
    least = 4  # of our networks
    is_output = options["activation"] == "linear"
    filters = 24 if is_output else max(least, int(options["filters"]) // 8)
    is_normalised = options.get("batch_normalize") == "1"
    count = filters * (4 if is_normalised else 1)
    per_filter, numbers = numbers[:count], numbers[count:]
    size = int(options["size"])
    shape = (filters, values.shape[1], size, size)
    count = int(np.prod(shape))
    kernel, numbers = numbers[:count].reshape(shape), numbers[count:]
    values = functional.conv2d(values, kernel, None, int(options["stride"]), size // 2)
    if is_normalised:
        bias, scale, mean, variance = per_filter.reshape(4, filters, 1, 1)
        values = (values - mean) / (variance + 1e-5).sqrt() * scale + bias
    else:
        values = values + per_filter[:, None, None]
    if options["activation"] == "leaky":
        values = torch.where(values > 0, values, 0.1 * values)
    return values, numbers
