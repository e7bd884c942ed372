"""What the stored values of label maps mean: a class each, or nothing to be scored.

Where nobody says, every value is a class of its own, 255 of a true map is not scored, and maps of
0 and 255 alone are background and foreground. A predicted value without a class finds nothing: it
counts as background, a class that is missed there.
"""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.metrics.names import BACKGROUND
from studies.scoring.label_pairs import VALUES, Meetings, UnusableMasksError
from studies.scoring.legend import Legend

VOID = 255  # not scored in a true map, unless a class has it
FOREGROUND = "foreground"
NOT_SCORED = -1


@dataclass(frozen=True, slots=True)
class Meaning:
    """Which class each stored value is of."""

    names: tuple[str, ...]  # classes; "background" is first, also where it is only "no class"
    has_background: bool  # whether it is a class of the label maps
    truth: NDArray[np.int64]  # (256,) stored value -> class, or NOT_SCORED
    prediction: NDArray[np.int64]  # (256,) stored value -> class
    values: tuple[int, ...]  # label index of each class; of "no class": VOID
    unknown: tuple[int, ...]  # predicted values without a class


def meaning_of(
    meetings: Sequence[Meetings],
    legend: Legend | None,
    *,
    ignored: Sequence[str],
    background: str | None,
) -> Meaning:
    """Decide what the values of all label maps mean.

    Args:
        meetings: Of all pairs.
        legend: What someone said of them.
        ignored: Labels of true maps that are not scored: indices, or names of the legend.
        background: The label that is background: index or name; None: the one named so.

    Raises:
        UnusableMasksError: A true value has no class, or a label is unknown.
    """
    true = {int(value) for each in meetings for value in np.unique(each.truth)}
    found = {int(value) for each in meetings for value in np.unique(each.prediction)}
    left_out = {_index(each, legend, "--ignore") for each in ignored}
    binary = (
        _is_binary(true, found, legend) and VOID not in left_out,
        # Beside a true 1 an ignored 255 says nothing of what a predicted one means.
        _is_binary(found, true, legend) and (VOID not in left_out or 1 in true),
    )
    if any(binary):
        names: dict[int, str] = dict(legend.names) if legend else {0: BACKGROUND, 1: FOREGROUND}
        true, found = (_halved(each, yes) for each, yes in zip((true, found), binary, strict=True))
    else:
        names = dict(legend.names) if legend else {}
    if VOID not in names:
        left_out.add(VOID)
    if legend is None and not any(binary):
        labels = sorted((true - left_out) | (found - {VOID}))
        names = {label: f"label {label}" for label in labels}
    names = {label: name for label, name in names.items() if label not in left_out}
    if background is not None:
        names[_index(background, legend, "--background")] = BACKGROUND
    _check_true(true - left_out, names)
    return _meaning(names, left_out, binary, unknown=found - set(names) - left_out)


def _meaning(
    names: Mapping[int, str],
    left_out: Collection[int],
    binary: tuple[bool, bool],
    *,
    unknown: set[int],
) -> Meaning:
    own = [label for label, name in names.items() if name == BACKGROUND]
    ordered = [*own, *(label for label in names if label not in own)]
    shown = [names[label] for label in ordered]
    if not own:
        ordered, shown = [VOID, *ordered], [BACKGROUND, *shown]
    classes = {label: number for number, label in enumerate(ordered) if own or number}
    truth = np.full(VALUES, NOT_SCORED, np.int64)
    prediction = np.zeros(VALUES, np.int64)
    for label, number in classes.items():
        truth[label] = prediction[label] = number
    for table, is_binary in zip((truth, prediction), binary, strict=True):
        if is_binary:
            table[VOID] = classes[1]
    for label in left_out:
        if not (label == VOID and binary[0]):
            truth[label] = NOT_SCORED
    return Meaning(
        tuple(shown), bool(own), truth, prediction, tuple(ordered), tuple(sorted(unknown))
    )


def _is_binary(values: set[int], others: set[int], legend: Legend | None) -> bool:
    """Whether 255 stands for label 1 in these maps."""
    is_legend_binary = legend is None or set(legend.names) == {0, 1}
    fits = VOID in values and values <= {0, VOID} and others <= {0, 1, VOID}
    return fits and is_legend_binary


def _halved(values: set[int], is_binary: bool) -> set[int]:
    return {1 if value == VOID else value for value in values} if is_binary else values


def _check_true(true: set[int], names: Mapping[int, str]) -> None:
    unknown = sorted(true - set(names))
    if unknown:
        raise UnusableMasksError(
            f"values of true label maps must be in the legend ({', '.join(map(str, names))}), got "
            f"{', '.join(map(str, unknown))}; add them to --classes, or leave them out by --ignore"
        )


def _index(label: str, legend: Legend | None, option: str) -> int:
    """Return the index of a label that was given as one, or by name."""
    if label.isdigit() and int(label) < VALUES:
        return int(label)
    known = {} if legend is None else {name: index for index, name in legend.names.items()}
    if label in known:
        return known[label]
    close = difflib.get_close_matches(label, known, n=1)
    meant = f"; did you mean '{close[0]}'?" if close else ""
    of = "a name of the legend" if known else "a name where --classes names a legend"
    raise UnusableMasksError(
        f"{option} must be an index from 0 to {VALUES - 1}, or {of}, got '{label}'{meant}"
    )
