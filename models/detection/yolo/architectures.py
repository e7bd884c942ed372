"""The layers of YOLO's networks, as Darknet's cfg files list them.

YOLOv3 and its tiny form are those files, layer by layer. YOLOv2's were read in copies of
yolov2-voc.cfg. YOLOv1's are the paper's figure 3: Darknet's own yolov1.cfg is another network.
"""

from models.detection.darknet.cfg import Section

STEP = 4  # filters are a multiple of it; YOLOv2's reorg needs that
DARKNET19_LAYERS = 23  # layers that "darknet19_448.conv.23" holds the weights of
DARKNET53_LAYERS = 74  # and "darknet53.conv.74"

Layers = list[Section]


def convolution(filters: int, size: int, stride: int = 1) -> Section:
    """Describe a convolution with batch normalisation and a leaky ReLU."""
    return Section("convolutional", {"batch_normalize": "1", **_plain(filters, size, stride)})


def output(filters: int) -> Section:
    """Describe a last convolution."""
    return Section("convolutional", {**_plain(filters, 1, 1), "activation": "linear"})


def yolov1_convolutions(width: float) -> Layers:
    """Return YOLOv1's 24 convolutions, which end in 1024 maps of 1/64 of the image's side."""
    layers: Layers = []

    def add(filters: int, size: int, stride: int = 1) -> None:
        options = _plain(_scaled(filters, width), size, stride)
        layers.append(Section("convolutional", options))

    add(64, 7, 2)
    layers.append(_halving())
    add(192, 3)
    layers.append(_halving())
    for filters, size in ((128, 1), (256, 3), (256, 1), (512, 3)):
        add(filters, size)
    layers.append(_halving())
    for filters, size in ((256, 1), (512, 3)) * 4 + ((512, 1), (1024, 3)):
        add(filters, size)
    layers.append(_halving())
    for filters, size in ((512, 1), (1024, 3)) * 2 + ((1024, 3),):
        add(filters, size)
    add(1024, 3, 2)
    add(1024, 3)
    add(1024, 3)
    return layers


def darknet19(width: float) -> Layers:
    """Return the 18 convolutions of Darknet-19 before its classifier."""
    layers: Layers = []
    for stage in (
        ((32, 3),),
        ((64, 3),),
        ((128, 3), (64, 1), (128, 3)),
        ((256, 3), (128, 1), (256, 3)),
        ((512, 3), (256, 1), (512, 3), (256, 1), (512, 3)),
        ((1024, 3), (512, 1), (1024, 3), (512, 1), (1024, 3)),
    ):
        layers += [_halving()] if layers else []
        layers += [convolution(_scaled(filters, width), size) for filters, size in stage]
    return layers


def yolov2(width: float, outputs: int) -> Layers:
    """Return Darknet-19, the passthrough layer and the head."""
    wide = _scaled(1024, width)
    return [
        *darknet19(width),
        convolution(wide, 3),
        convolution(wide, 3),
        _route(-9),  # the last map of twice the resolution
        convolution(_scaled(64, width), 1),
        Section("reorg", {"stride": "2"}),
        _route(-1, -4),
        convolution(wide, 3),
        output(outputs),
        Section("region"),
    ]


def darknet53(width: float) -> Layers:
    """Return the 52 convolutions of Darknet-53 before its classifier."""
    layers = [convolution(_scaled(32, width), 3)]
    for filters, blocks in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        wide, narrow = _scaled(filters, width), _scaled(filters // 2, width)
        layers.append(convolution(wide, 3, 2))
        for _ in range(blocks):
            shortcut = Section("shortcut", {"from": "-3", "activation": "linear"})
            layers += [convolution(narrow, 1), convolution(wide, 3), shortcut]
    return layers


def yolov3(width: float, outputs: int) -> Layers:
    """Return Darknet-53 and heads on maps of stride 32, 16 and 8, in this order."""
    layers = [*darknet53(width), *_yolov3_head(512, width, outputs)]
    for filters, joined in ((256, 61), (128, 36)):
        layers += _upwards(_scaled(filters, width), joined)
        layers += _yolov3_head(filters, width, outputs)
    return layers


def yolov3_tiny(width: float, outputs: int) -> Layers:
    """Return a network of 13 convolutions with heads on maps of stride 32 and 16."""
    layers: Layers = []
    for filters in (16, 32, 64, 128, 256):
        layers += [convolution(_scaled(filters, width), 3), _halving()]
    layers += [
        convolution(_scaled(512, width), 3),
        Section("maxpool", {"size": "2", "stride": "1"}),
        convolution(_scaled(1024, width), 3),
        convolution(_scaled(256, width), 1),
        *_tiny_head(512, width, outputs),
        *_upwards(_scaled(128, width), 8),
        *_tiny_head(256, width, outputs),
    ]
    return layers


def _yolov3_head(filters: int, width: float, outputs: int) -> Layers:
    narrow, wide = _scaled(filters, width), _scaled(2 * filters, width)
    pair = [convolution(narrow, 1), convolution(wide, 3)]
    return [*pair, *pair, *pair, output(outputs), Section("yolo")]


def _tiny_head(filters: int, width: float, outputs: int) -> Layers:
    return [convolution(_scaled(filters, width), 3), output(outputs), Section("yolo")]


def _upwards(filters: int, joined: int) -> Layers:
    """Return the layers from a head to the map of twice the resolution, joined with layer's."""
    upsample = Section("upsample", {"stride": "2"})
    return [_route(-4), convolution(filters, 1), upsample, _route(-1, joined)]


def _plain(filters: int, size: int, stride: int) -> dict[str, str]:
    return {
        "filters": str(filters),
        "size": str(size),
        "stride": str(stride),
        "pad": "1",
        "activation": "leaky",
    }


def _halving() -> Section:
    return Section("maxpool", {"size": "2", "stride": "2"})


def _route(*layers: int) -> Section:
    return Section("route", {"layers": ",".join(str(layer) for layer in layers)})


def _scaled(filters: int, width: float) -> int:
    return max(STEP, round(filters * width / STEP) * STEP)
