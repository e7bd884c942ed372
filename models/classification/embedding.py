"""The embedding of a picture: what the layer of its logits is given.

A network says by its `class_rows` which layers compute logits. Where it has several, as GoogLeNet
its auxiliary classifiers, the one that runs last is the one that decides.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from models.class_rows import ClassRows

Inputs = tuple[Tensor, ...]


class Embedding:
    """What the layer that ran last was given; empty until the network has run."""

    def __init__(self) -> None:
        self._inputs: Tensor | None = None

    def keep(self, _layer: nn.Module, inputs: Inputs) -> None:
        """Take a layer's input, as a hook before its forward pass."""
        self._inputs = inputs[0]

    def of_images(self) -> Tensor:
        """Return (b, d); of maps the mean over their pixels.

        Raises:
            ValueError: no layer of logits ran.
        """
        if self._inputs is None:
            raise ValueError("an embedding is there once the network has run; run it first")
        inputs = self._inputs
        return inputs.mean(dim=(2, 3)) if inputs.dim() == 4 else inputs.flatten(1)


@contextmanager
def watched(network: nn.Module) -> Iterator[Embedding]:
    """Keep the embedding of the pictures that the network is run on meanwhile.

    Raises:
        TypeError: the network does not say where its logits are computed.
    """
    # Asked for by name: a wrapped network answers for the one inside.
    rows: tuple[ClassRows, ...] | None = getattr(network, "class_rows", None)
    if not rows:
        raise TypeError(
            "loss 'triplet' needs a network that says by class_rows where its logits are "
            f"computed, got {type(network).__name__}; use another loss"
        )
    embedding = Embedding()
    removals: list[Callable[[], None]] = [
        network.get_submodule(each.layer).register_forward_pre_hook(embedding.keep).remove
        for each in rows
    ]
    try:
        yield embedding
    finally:
        for remove in removals:
            remove()
