"""A linear layer that is fitted after the network's training, and saved with its weights."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class FittedLinear(nn.Module):
    """A linear layer that is fitted, not trained: its values are no parameters, but are saved.

    Args:
        inputs: Features.
        outputs: Numbers.
    """

    weight: Tensor
    bias: Tensor
    scale: Tensor  # that features are multiplied by
    is_fitted: Tensor
    looked_at: Tensor  # how many examples were looked at to fit it, where its trainer says so

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(outputs, inputs))
        self.register_buffer("bias", torch.zeros(outputs))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("is_fitted", torch.zeros((), dtype=torch.bool))
        self.register_buffer("looked_at", torch.zeros((), dtype=torch.int64))

    def forward(self, features: Tensor) -> Tensor:
        """Return (n, outputs) of (n, inputs)."""
        return functional.linear(features * self.scale, self.weight, self.bias)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:  # noqa: ANN401  # torch's
        """Load weights, those too that were saved when nobody counted what was looked at."""
        state_dict.setdefault(f"{prefix}looked_at", torch.zeros_like(self.looked_at))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def settle(self, weight: Tensor, bias: Tensor, scale: float) -> None:
        """Take over what was fitted to features times `scale`."""
        self.weight.copy_(weight)
        self.bias.copy_(bias)
        self.scale.fill_(scale)
        self.is_fitted.fill_(value=True)
