import pytest
import torch
from torch import Tensor

from models.losses import IGNORE


@pytest.fixture
def labels() -> Tensor:
    """Two label maps of three labels, some pixels unlabelled."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (2, 5, 4), generator=generator, dtype=torch.uint8)
    labels[0, 0] = IGNORE
    labels[1, 2, 1] = IGNORE
    return labels


@pytest.fixture
def logits() -> Tensor:
    return 3 * torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def weights() -> Tensor:
    return torch.rand(2, 5, 4, generator=torch.Generator().manual_seed(2)) * 3
