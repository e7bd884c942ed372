"""Tensors in, tensors out: networks, losses, metrics and the training loop.

`NUMERICS` is part of every cell's fingerprint: raise it when a change here alters a result, so
that old results are not mistaken for new ones.
"""

NUMERICS = 4
