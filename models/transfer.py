"""The weights of an earlier training in a new network, classes by their names.

Weights of the same name and shape are copied. Layers that depend on the classes say by
`class_rows` which of their rows are of which class: a class that both networks know takes its
rows along, wherever it stands; rows of a new class stay as they were drawn.

    TransferError   the weights are of another network, or cannot be had
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from models.checkpoints import UnreadableCheckpointError
from models.class_rows import ClassRows, HasClassRows
from models.metrics.names import BACKGROUND
from models.named_layers import TransferError
from models.session import StartingWeights
from models.workbench import load_state

LEAST_CARRIED = 0.5  # share of the values beside those of classes; below, it is another network
NAMED = 3  # weights that a message names
Pairs = list[tuple[int, int]]  # (row of the new layer, row of the old one)


@dataclass(frozen=True, slots=True)
class Fit:
    """What of an earlier training's weights goes where."""

    whole: tuple[str, ...]  # names of weights that are copied as they are
    by_class: Mapping[str, Pairs]  # name of weights -> rows that are copied
    reads_classes: frozenset[str]  # of these, those whose second dimension is of classes too
    new: tuple[str, ...]  # of the network, with nothing to copy
    left_over: tuple[str, ...]  # of the earlier training
    classes: Mapping[str, list[str]] = field(default_factory=dict)  # carried, new, left_over

    def describe(self) -> dict[str, Any]:
        """Return the record of it, as JSON."""
        return {
            "carried_weights": len(self.whole) + len(self.by_class),
            "new_layers": _layers(self.new),
            "left_over_layers": _layers(self.left_over),
            "classes": dict(self.classes),
        }


def carry_over(network: nn.Module, start: StartingWeights, class_names: Sequence[str]) -> Fit:
    """Give a network the weights that it starts from.

    Args:
        network: Just built, or with pretrained weights; on any device.
        start: What it starts from.
        class_names: Of the network, in label order.

    Raises:
        TransferError: The weights are not there, are others than they were, or do not fit.
    """
    return copy_over(network, read_weights(start), start, class_names)


def copy_over(
    network: nn.Module,
    weights: Mapping[str, Tensor],
    start: StartingWeights,
    class_names: Sequence[str],
) -> Fit:
    """Copy weights that were read, classes by their names.

    Args:
        network: To copy to; on any device.
        weights: Of the other network.
        start: What they are.
        class_names: Of the network, in label order.

    Raises:
        TransferError: They do not fit.
    """
    fit = fit_weights(network, weights, start, class_names)
    own = network.state_dict()
    codes = {rows.layer for rows in class_rows_of(network) if rows.are_codes}
    with torch.no_grad():
        for name in fit.whole:
            own[name].copy_(weights[name])
        for name, pairs in fit.by_class.items():
            both = name in fit.reads_classes and own[name].ndim > 1
            drawn = own[name].clone()
            _copy_rows(own[name], weights[name].to(own[name]), pairs, both=both)
            if name.rpartition(".")[0] in codes:
                _give_free_codes(own[name], drawn, pairs)
    return fit


def read_weights(start: StartingWeights) -> Mapping[str, Tensor]:
    """Read weights onto the CPU; nothing in the file is executed.

    Raises:
        TransferError: They cannot be read, or changed since the study looked at them.
    """
    try:
        with start.file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            weights = load_state(stream)
    except (OSError, UnreadableCheckpointError) as error:
        raise TransferError(
            f"{start.name}: weights {start.file} cannot be read: {error}"
        ) from error
    if digest != start.sha256:
        raise TransferError(
            f"{start.name}: weights {start.file} must be as they were when the study was launched "
            "(they are part of what its cells are known by), but have changed; launch it again"
        )
    if not isinstance(weights, Mapping) or not all(torch.is_tensor(v) for v in weights.values()):
        raise TransferError(
            f"{start.name}: {start.file} must hold weights by name (a state_dict, as trials keep "
            "it in best-N.pt), got something else"
        )
    return weights


def fit_weights(
    network: nn.Module,
    weights: Mapping[str, Tensor],
    start: StartingWeights,
    class_names: Sequence[str],
) -> Fit:
    """Find out what goes where; values are not looked at, so the network may be on "meta".

    Raises:
        TransferError: A weight has another shape, or too few are in both.
    """
    own = network.state_dict()
    layers = {rows.layer: rows for rows in class_rows_of(network)}
    rows_of = {name: layers.get(name.rpartition(".")[0]) for name in own}
    # Single values of a layer of classes say what it was fitted to, which are other classes.
    shared = [n for n in own if n in weights and (rows_of[n] is None or own[n].ndim > 0)]
    alike = [name for name in shared if own[name].shape == weights[name].shape]
    _require_same_shapes(own, weights, start, [n for n in shared if rows_of[n] is None])
    _require_enough(own, start, {n for n in own if rows_of[n] is None}, set(alike))
    by_class, classes = {}, _Classes(start.class_names or (), class_names)
    for name, rows in ((name, rows_of[name]) for name in shared):
        if rows is not None and start.class_names is not None:
            by_class[name] = classes.pairs(rows, name, own[name], weights[name], start)
    whole = tuple(name for name in alike if rows_of[name] is None)
    kept = {*whole, *by_class}
    return Fit(
        whole=whole,
        by_class=by_class,
        reads_classes=frozenset(n for n in by_class if (r := rows_of[n]) and r.reads_classes),
        new=tuple(name for name in own if name not in kept),
        left_over=tuple(name for name in weights if name not in kept),
        classes=classes.describe() if by_class else {},
    )


def require_no_frozen_noise(noise: Iterable[str]) -> None:
    """Refuse to keep weights as they are that were drawn at random.

    Args:
        noise: Names of weights that do not learn, and that nothing was put into.

    Raises:
        TransferError: There are any.
    """
    if names := list(noise):
        raise TransferError(
            f"weights that do not learn must come from somewhere, but {some(names)} are new; "
            "use mode fine_tuning, with a freeze_to before them"
        )


def class_rows_of(network: nn.Module) -> tuple[ClassRows, ...]:
    """Return where a network's classes are; () where it does not say."""
    return network.class_rows if isinstance(network, HasClassRows) else ()


class _Classes:
    """The classes of both networks."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self.old, self.new = tuple(old), tuple(new)

    def pairs(
        self, rows: ClassRows, name: str, own: Tensor, theirs: Tensor, start: StartingWeights
    ) -> Pairs:
        """Return which row is copied to which."""
        new, old = (
            _classes_of(rows, len(weights), names)
            for weights, names in ((own, self.new), (theirs, self.old))
        )
        # Of a transposed convolution with inputs by class, the second dimension has them too.
        first = 2 if rows.reads_classes and own.ndim > 1 else 1
        if new is None or old is None or own.shape[first:] != theirs.shape[first:]:
            raise TransferError(
                f"{start.name}: {name} must fit {len(self.old)} classes "
                f"({', '.join(self.old)}), got shape {tuple(theirs.shape)} there and "
                f"{tuple(own.shape)} here; set model as the run had it"
            )
        return list(_row_pairs(rows, new, old))

    def describe(self) -> dict[str, list[str]]:
        """Say what became of each class; the background is none."""
        old, new = ([n for n in names if n != BACKGROUND] for names in (self.old, self.new))
        return {
            "carried": [name for name in new if name in old],
            "new": [name for name in new if name not in old],
            "left_over": [name for name in old if name not in new],
        }


def _classes_of(rows: ClassRows, count: int, names: Sequence[str]) -> tuple[str, ...] | None:
    """Return what the rows of a layer are of, in order; None where their number is another.

    A segmentation network with a sigmoid per class has no row for the background that its labels
    begin with, one with a softmax has.
    """
    in_turn, rest = divmod(count, rows.repeats)
    classes, uneven = divmod(in_turn - rows.fixed, rows.per_class)
    if rest or uneven:
        return None
    if rows.has_background:
        return (BACKGROUND, *names) if classes == len(names) + 1 else None
    if classes == len(names) - 1 and names[0] == BACKGROUND:
        return tuple(names[1:])
    return tuple(names) if classes == len(names) else None


def _row_pairs(
    rows: ClassRows, new: Sequence[str], old: Sequence[str]
) -> Iterator[tuple[int, int]]:
    before = [rows.fixed + rows.per_class * len(names) for names in (new, old)]
    for turn in range(rows.repeats):
        first_new, first_old = (turn * length for length in before)
        for row in range(rows.fixed):
            yield first_new + row, first_old + row
        for place, name in enumerate(new):
            if name in old:
                for row in range(rows.per_class):
                    yield (
                        first_new + rows.fixed + rows.per_class * place + row,
                        first_old + rows.fixed + rows.per_class * old.index(name) + row,
                    )


def _copy_rows(own: Tensor, theirs: Tensor, pairs: Pairs, *, both: bool) -> None:
    if not pairs:
        return
    new, old = (torch.tensor(rows, device=own.device) for rows in zip(*pairs, strict=True))
    if both:
        own[new[:, None], new] = theirs[old[:, None], old]
    else:
        own[new] = theirs[old]


def _give_free_codes(own: Tensor, drawn: Tensor, pairs: Pairs) -> None:
    """Give new classes those of the drawn codes that no class brought along: there are enough."""
    if own.is_meta:  # of a rehearsal, which has no values to compare
        return
    carried = [new for new, _ in pairs]
    taken = {tuple(code) for code in own[carried].tolist()}
    free = (code for code in drawn if tuple(code.tolist()) not in taken)
    for row in sorted({*range(len(own))} - {*carried}):
        own[row] = next(free)


def _require_same_shapes(
    own: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    start: StartingWeights,
    names: Iterable[str],
) -> None:
    others = [
        f"{name} of {tuple(weights[name].shape)} there and {tuple(own[name].shape)} here"
        for name in names
        if own[name].shape != weights[name].shape
    ]
    if others:
        raise TransferError(
            f"{start.name}: weights must be of the network that the study trains, got "
            f"{some(others)}; set model as the run had it"
        )


def _require_enough(
    own: Mapping[str, Tensor], start: StartingWeights, wanted: set[str], alike: set[str]
) -> None:
    values = sum(own[name].numel() for name in wanted)
    carried = sum(own[name].numel() for name in wanted & alike)
    if carried < LEAST_CARRIED * values:
        raise TransferError(
            f"{start.name}: weights must be of the network that the study trains, got those of "
            f"another, which have {carried / values:.0%} of its weights; set model as the run "
            "had it"
        )


def some(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _layers(names: Iterable[str]) -> list[str]:
    """Return the layers of weights, each once."""
    return list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))
