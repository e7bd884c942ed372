"""What the stored values of label maps mean: a class each, or nothing to be scored.

Where nobody says, every value is a class of its own, 255 of a true map is not scored, and maps of
0 and 255 alone are background and foreground. Where 255 may be either, somebody has to say: true
maps of 0 and 255 beside predicted ones of other values. A predicted value without a class finds
nothing: it counts as background, a class that is missed there.
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
        UnusableMasksError: A true value has no class, 255 may be one or not, or a label is
            unknown.
    """
    true = {int(value) for each in meetings for value in np.unique(each.truth)}
    found = {int(value) for each in meetings for value in np.unique(each.prediction)}
    left_out = {_index(each, legend, "--ignore") for each in ignored}
    binary = (
        _is_binary(true, found, legend) and VOID not in left_out,
        # Beside a true 1 an ignored 255 says nothing of what a predicted one means.
        _is_binary(found, true, legend) and (VOID not in left_out or 1 in true),
    )
    if not binary[0] and VOID in true - left_out:
        _check_void(true, meetings, legend)
    true = {1 if value == VOID else value for value in true} if binary[0] else true
    if VOID not in (legend.names if legend else ()):
        left_out.add(VOID)
    names = _names(true - left_out, found, legend, is_binary=any(binary))
    names = {label: name for label, name in names.items() if label not in left_out}
    if background is not None:
        label = _index(background, legend, "--background")
        names = _with_background(names, 1 if any(binary) and label == VOID else label)
    _check_true(true - left_out, names)
    known = {*names, VOID} if binary[1] and 1 in names else set(names)
    return _meaning(names, left_out, binary, unknown=found - known)


def _names(
    true: set[int], found: set[int], legend: Legend | None, *, is_binary: bool
) -> dict[int, str]:
    if legend is not None:
        return dict(legend.names)
    if is_binary:
        return {0: BACKGROUND, 1: FOREGROUND}
    return {label: f"label {label}" for label in sorted(true | (found - {VOID}))}


def _with_background(names: Mapping[int, str], label: int) -> dict[int, str]:
    """Let another label be the background, of which there is one."""
    if label not in names:
        raise UnusableMasksError(
            f"--background must be a label that is scored ({', '.join(map(str, names))}), got "
            f"{label}; correct it or leave it out"
        )
    others = {
        each: f"label {each}" if name == BACKGROUND else name for each, name in names.items()
    }
    return {**others, label: BACKGROUND}


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
    for label in left_out:
        truth[label] = NOT_SCORED
    for table, is_binary in zip((truth, prediction), binary, strict=True):
        if is_binary:
            table[VOID] = table[1]
    return Meaning(
        tuple(shown), bool(own), truth, prediction, tuple(ordered), tuple(sorted(unknown))
    )


def _is_binary(values: set[int], others: set[int], legend: Legend | None) -> bool:
    """Whether 255 stands for label 1 in these maps."""
    is_legend_binary = legend is None or set(legend.names) == {0, 1}
    fits = VOID in values and values <= {0, VOID} and others <= {0, 1, VOID}
    return fits and is_legend_binary


def _check_void(true: set[int], meetings: Sequence[Meetings], legend: Legend | None) -> None:
    """Refuse to leave 255 out unasked where that leaves the truth one class: it may be a mask."""
    may_be_mask = (
        len(true) <= 2 if legend is None else true <= {0, VOID} and set(legend.names) == {0, 1}
    )
    if not may_be_mask:
        return
    strange = (
        f", and predicted label map '{each.name}' holds {value}"
        for each in meetings
        for value in np.unique(each.prediction)
        if value not in (0, 1, VOID)
    )
    raise UnusableMasksError(
        f"{VOID} must be a class of true label maps or not scored, and nobody said which: they "
        f"hold {' and '.join(map(str, sorted(true)))} alone{next(strange, '')}; give it a name by "
        f"--classes, or leave it out by --ignore {VOID}"
    )


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
