"""Layers that are fitted: what is saved of them, and what older files lack."""

import torch
from torch import nn

from models.fitted_linear import FittedLinear


def test_weights_from_before_what_was_looked_at_was_counted_can_be_loaded() -> None:
    layer, again = FittedLinear(3, 2), FittedLinear(3, 2)
    layer.settle(torch.ones(2, 3), torch.ones(2), 0.5)
    saved = nn.ModuleDict({"svm": layer}).state_dict()
    del saved["svm.looked_at"]
    nn.ModuleDict({"svm": again}).load_state_dict(saved)
    assert again.is_fitted
    assert int(again.looked_at) == 0
    assert "svm.looked_at" not in saved


def test_what_was_looked_at_is_saved() -> None:
    layer, again = FittedLinear(3, 2), FittedLinear(3, 2)
    layer.looked_at.fill_(7)
    again.load_state_dict(layer.state_dict())
    assert int(again.looked_at) == 7
