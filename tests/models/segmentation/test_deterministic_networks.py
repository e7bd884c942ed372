"""`training.deterministic` is the default: every network must train with it on a GPU.

Which operations a GPU would be asked for, a CPU can tell by running on the meta device.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.catalog import MODELS
from models.resolve import resolve

NETWORKS = sorted(
    name
    for name, entry in MODELS.items()
    if entry.builder is not None and "semantic_segmentation" in entry.tasks
)
SMALL: dict[str, dict[str, Any]] = {
    "deeplabv3": {"backbone": "mobilenet_v3_large", "auxiliary_weight": 0.5},
    "deeplabv3plus": {"encoder": "resnet18"},
    "fpn": {"encoder": "resnet18"},
    "unet_encoder": {"encoder": "resnet18"},
    "unetplusplus": {"encoder": "resnet18"},
}
OperationsOf = Callable[[Callable[[], object]], set[str]]
# Of the operations that torch.use_deterministic_algorithms says raise on CUDA. Bilinear upsampling
# is not among them: functional.interpolate writes it out as indexing there.
WITHOUT_DETERMINISTIC_KERNEL = {
    "_adaptive_avg_pool2d_backward",
    "adaptive_max_pool2d_backward",
    "fractional_max_pool2d_backward",
    "grid_sampler_2d_backward",
    "max_unpool2d",
    "nll_loss2d_forward",
    "reflection_pad2d_backward",
    "upsample_bicubic2d_backward",
}


@pytest.fixture(autouse=True)
def _deterministic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(before)


def built(name: str, device: str) -> nn.Module:
    entry = MODELS[name]
    settings = entry.settings.model_validate({"name": name, **SMALL.get(name, {})})
    torch.manual_seed(0)
    with torch.device(device):
        network: nn.Module = resolve(str(entry.builder))(settings, 2)
    return network.train()


def smallest_size(name: str) -> int:
    entry = MODELS[name]
    settings = entry.settings.model_validate({"name": name, **SMALL.get(name, {})})
    return next(size for size in range(32, 1024) if entry.size_rule(settings, size) is None)


def gradients_of(network: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    output = network(images)
    maps = output if isinstance(output, Tensor) else output.logits + output.auxiliary
    return torch.autograd.grad(maps.square().mean(), list(network.parameters()))


@pytest.mark.parametrize("name", NETWORKS)
def test_network_asks_for_nothing_that_has_no_deterministic_kernel(
    name: str, operations_of: OperationsOf
) -> None:
    network, size = built(name, "meta"), smallest_size(name)
    images = torch.empty(2, 3, size, size, device="meta")
    names = operations_of(lambda: gradients_of(network, images))
    assert "convolution_backward" in names
    assert names & WITHOUT_DETERMINISTIC_KERNEL == set()


def test_a_network_that_asks_for_one_is_found(operations_of: OperationsOf) -> None:
    with torch.device("meta"):
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(6))
        images = torch.empty(2, 3, 64, 64)
    assert "_adaptive_avg_pool2d_backward" in operations_of(lambda: gradients_of(network, images))


@pytest.mark.gpu
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_repeat_to_the_bit_on_a_gpu(name: str) -> None:
    network = built(name, "cuda")
    size = smallest_size(name)
    images = torch.randn(2, 3, size, size, device="cuda")
    gradients = []
    for _ in range(2):
        torch.manual_seed(1)  # of dropout
        gradients.append(gradients_of(network, images))
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


@pytest.mark.gpu
@pytest.mark.parametrize("align_corners", [False, True])
def test_deterministic_upsampling_is_the_usual_one_on_a_gpu(align_corners: bool) -> None:
    maps = torch.randn(2, 5, 33, 17, device="cuda")

    def enlarged(like: Tensor) -> Tensor:
        return functional.interpolate(
            like, size=(200, 150), mode="bilinear", align_corners=align_corners
        )

    torch.testing.assert_close(enlarged(maps).cpu(), enlarged(maps.cpu()), rtol=0, atol=2e-5)
