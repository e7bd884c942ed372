import pytest
import torch
from torch import Tensor, nn

from models.detection.darknet.cfg import DarknetCfgError, Section
from models.detection.darknet.layers import DarknetLayers, MaxPool, Reorg


def convolution(filters: int, **options: str) -> Section:
    usual = {"size": "3", "pad": "1", "activation": "leaky"}
    return Section("convolutional", {"filters": str(filters), **usual, **options})


def test_reorg_moves_numbers_as_darknet_does() -> None:
    """Its loop over single numbers: `out[k, j, i] = x[k % (c/4), 2j + …, 2i + …]` of flat x."""
    channels, side, stride = 8, 4, 2
    values = torch.arange(channels * side * side, dtype=torch.float32)
    expected = torch.empty_like(values)
    inner = channels // stride**2
    for k in range(channels):
        for j in range(side):
            for i in range(side):
                row = j * stride + k // inner // stride
                column = i * stride + k // inner % stride
                source = column + side * stride * (row + side * stride * (k % inner))
                expected[i + side * (j + side * k)] = values[source]
    found = Reorg(stride)(values.reshape(1, channels, side, side))
    assert found.shape == (1, 32, 2, 2)
    assert torch.equal(found.flatten(), expected)


class TestMaxPool:
    VALUES = torch.tensor([[[[1.0, 2.0], [3.0, -4.0]]]])

    def test_windows_side_by_side_halve_the_map(self) -> None:
        assert MaxPool(2, 2)(self.VALUES).tolist() == [[[[3.0]]]]

    def test_windows_that_overlap_keep_its_size(self) -> None:
        assert MaxPool(2, 1)(self.VALUES).tolist() == [[[[3.0, 2.0], [3.0, -4.0]]]]


def test_leaky_activation_has_a_tenth_of_the_slope_below_zero() -> None:
    network = DarknetLayers([convolution(1, size="1", activation="leaky")], channels=1)
    (layer,) = (layer for _, layer in network.convolutions())
    with torch.no_grad():
        layer.conv.weight.fill_(1.0)
    found: Tensor = network(torch.tensor([[[[-2.0, 2.0]]]]))[0]
    torch.testing.assert_close(found, torch.tensor([[[[-0.2, 2.0]]]]))


def test_route_and_shortcut_look_back_by_absolute_and_relative_numbers() -> None:
    sections = [
        convolution(2),
        convolution(2),
        Section("shortcut", {"from": "-2", "activation": "linear"}),
        Section("route", {"layers": "-1,0"}),
        Section("upsample", {"stride": "2"}),
    ]
    network = DarknetLayers(sections, channels=1)
    first, second = (layer for _, layer in network.convolutions())
    image = torch.randn(1, 1, 4, 4)
    with torch.no_grad():
        expected = torch.cat((first(image) + second(first(image)), first(image)), dim=1)
        expected = expected.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        (found,) = network(image)
    assert torch.equal(found, expected)


def test_maps_leave_the_network_at_its_ends_in_order() -> None:
    sections = [
        convolution(3),
        Section("yolo"),
        Section("route", {"layers": "0"}),
        Section("maxpool", {"size": "2", "stride": "2"}),
        Section("region"),
    ]
    found = DarknetLayers(sections)(torch.zeros(2, 3, 8, 8))
    assert [tuple(each.shape) for each in found] == [(2, 3, 8, 8), (2, 3, 4, 4)]


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ([Section("lstm")], r"section \[lstm\] must be a layer that is known \(convolutional, "),
        ([convolution(2, activation="mish")], "must have activation leaky or linear, got 'mish'"),
        ([convolution(2, activation="leaky"), Section("route", {"layers": "1"})], "as layer 1"),
        ([Section("route", {"layers": "-1"})], r"must look back at layers 0 to -1, got \(-1,\)"),
        (
            [convolution(2), Section("shortcut", {"from": "-1", "activation": "leaky"})],
            "must have activation=linear",
        ),
    ],
)
def test_layer_that_is_not_known_is_told(sections: list[Section], message: str) -> None:
    with pytest.raises(DarknetCfgError, match=message):
        DarknetLayers(sections)


def test_normalised_convolutions_have_no_bias() -> None:
    network = DarknetLayers([convolution(2, batch_normalize="1"), convolution(2)])
    (first, second) = (layer for _, layer in network.convolutions())
    assert first.conv.bias is None
    assert isinstance(first.norm, nn.BatchNorm2d)
    assert second.norm is None
    assert second.conv.bias is not None
