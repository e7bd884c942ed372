"""Which weights of a network belong to which class.

A network trained for some classes can so be carried over to others: the rows of classes that both
have are copied by name, the rest is new. A network says where its classes are by a property
`class_rows`, one entry for each layer whose size depends on them.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class ClassRows:
    """How the output rows of a convolution or a linear layer are made up.

    `repeats` times in a row: first `fixed` rows that are of no class, then `per_class` rows for
    each class, in label order; those of the background come first where there is one.
    """

    layer: str  # dotted name of the module, as in `named_modules`
    repeats: int = 1  # e.g. anchors of a place
    fixed: int = 0  # e.g. 5 with YOLO: a box and its objectness
    per_class: int = 1  # e.g. 4 of a box regression for each class
    has_background: bool = False  # the first class is the background
    reads_classes: bool = False  # its inputs are classes too, as of a transposed convolution
    are_codes: bool = False  # fixed rows that tell classes apart: no two may be the same


@runtime_checkable
class HasClassRows(Protocol):
    """A network that says where its classes are."""

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """One entry for each layer whose size depends on the classes."""
