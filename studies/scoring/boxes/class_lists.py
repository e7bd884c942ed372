"""Which number is which class, as a file says it.

A number means the same in two files only if both are of the same kind: COCO's category ids have
gaps and begin with 1, YOLO's indices have none and begin with 0. No number is carried from one to
the other; the user says what each side's mean.

.yaml, .yml    `names`, a list or a mapping from numbers, as in YOLO's data.yaml
.json          COCO annotations, whose categories are read
.json, .csv    as for label maps: see `studies/scoring/legend.py`
any other      a name per line, from number 0 on, as in Darknet's .names
"""

from collections.abc import Mapping
from pathlib import Path

from data_pipeline.datasets.text_lines import numbered_lines
from data_pipeline.datasets.yolo_labels import class_names_in
from data_pipeline.errors import DataError
from studies.scoring.boxes.found_files import FoundFormat
from studies.scoring.boxes.records import Truth, UnusableBoxesError
from studies.scoring.boxes.results_json import is_list
from studies.scoring.boxes.truth_files import TruthFormat, category_ids_in
from studies.scoring.legend import UnusableLegendError, read_legend

NUMBERED: tuple[FoundFormat, ...] = ("coco_results", "yolo", "text")


def read_class_list(file: Path, option: str = "--classes") -> Mapping[int, str]:
    """Read class number -> name; `option` named the file.

    Raises:
        UnusableBoxesError: The file cannot be read, or names no class.
    """
    try:
        match file.suffix.lower():
            case ".yaml" | ".yml":
                return class_names_in(file)
            case ".json" if file.is_file() and not is_list(file):
                return category_ids_in(file) or read_legend(file).names
            case ".json" | ".csv":
                return read_legend(file).names
            case _:
                names = [line for _, line in numbered_lines(file)]
    except (DataError, UnusableLegendError) as error:
        raise UnusableBoxesError(f"{option}: {error}") from error
    if not names or len(set(names)) < len(names):
        raise UnusableBoxesError(
            f"{option} {file} must hold a class name per line, each once, got {len(names)} lines "
            f"with {len(set(names))} names; correct it"
        )
    return dict(enumerate(names))


def numbers_of_found(
    truth: Truth,
    forms: tuple[TruthFormat, FoundFormat],
    listed: Mapping[int, str],
    found_listed: Mapping[int, str],
) -> Mapping[int, str]:
    """Return which class the numbers of detections are.

    Args:
        truth: The ground truth, read by `listed`.
        forms: Format of the truth, and of the detections.
        listed: What `--classes` says; {}: nothing.
        found_listed: What `--found-classes` says; {}: nothing.

    Raises:
        UnusableBoxesError: A list lacks without which numbers would be misread, or has no effect.
    """
    if found_listed and forms[1] not in NUMBERED:
        raise UnusableBoxesError(
            "--found-classes says which class numbers are of, and has no effect on format "
            f"'{forms[1]}', which has their names; remove it"
        )
    if found_listed:
        return found_listed
    if forms == ("coco", "coco_results"):
        if listed:
            raise UnusableBoxesError(
                "--classes has no effect on COCO annotations, whose categories have names, and "
                "COCO results are of the same category ids; remove it, or use --found-classes if "
                "the results have other numbers"
            )
        return truth.category_ids
    if forms == ("coco", "yolo") and not listed:
        raise UnusableBoxesError(
            "class numbers of YOLO text must be named, for they are no category ids of GT, which "
            "is COCO annotations: 0 is the first class, but ids begin with 1 and have gaps; name "
            "them by --found-classes, such as data.yaml"
        )
    if forms == ("yolo", "coco_results"):
        raise UnusableBoxesError(
            "category ids of COCO results must be named on their own, for they are no class "
            "numbers of GT, which is YOLO text: ids begin with 1 and have gaps, numbers with 0; "
            "name them by --found-classes, such as instances_val2017.json, and those of GT by "
            "--classes"
        )
    return listed
