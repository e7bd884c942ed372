"""The record that an output folder holds from before."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ADVICE = "name another folder, or replace it by --overwrite"


class OtherPredictionsError(Exception):
    """The output folder holds something else."""


def earlier_record(
    file: Path, is_ours: Callable[[dict[str, Any]], bool], *, must: str, is_replacing: bool
) -> dict[str, Any] | None:
    """Return what a record holds; None where there is none.

    Args:
        file: Of the record.
        is_ours: Whether content is what this version writes.
        must: What such content is, in words.
        is_replacing: Return None also where it is nothing of ours.

    Raises:
        OtherPredictionsError: It is nothing of ours, and not to be replaced.
    """
    try:
        return _read(file, is_ours, must)
    except OtherPredictionsError:
        if is_replacing:
            return None
        raise


def _read(
    file: Path, is_ours: Callable[[dict[str, Any]], bool], must: str
) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OtherPredictionsError(
            f"{file} must be JSON of an earlier prediction, but is not ({error}); {ADVICE}"
        ) from error
    if not isinstance(content, dict) or not is_ours(content):
        raise OtherPredictionsError(f"{file} must be {must}; {ADVICE}")
    return content
