"""Which number is which class, as a file says it.

.yaml, .yml    `names`, a list or a mapping from numbers, as in YOLO's data.yaml
.json, .csv    as for label maps: see `studies/scoring/legend.py`
any other      a name per line, from number 0 on, as in Darknet's .names
"""

from collections.abc import Mapping
from pathlib import Path

from data_pipeline.datasets.text_lines import numbered_lines
from data_pipeline.datasets.yolo_labels import class_names_in
from data_pipeline.errors import DataError
from studies.scoring.boxes.records import UnusableBoxesError
from studies.scoring.legend import UnusableLegendError, read_legend


def read_class_list(file: Path) -> Mapping[int, str]:
    """Read class number -> name.

    Raises:
        UnusableBoxesError: The file cannot be read, or names no class.
    """
    try:
        match file.suffix.lower():
            case ".yaml" | ".yml":
                return class_names_in(file)
            case ".json" | ".csv":
                return read_legend(file).names
            case _:
                names = [line for _, line in numbered_lines(file)]
    except (DataError, UnusableLegendError) as error:
        raise UnusableBoxesError(f"--classes: {error}") from error
    if not names or len(set(names)) < len(names):
        raise UnusableBoxesError(
            f"--classes {file} must hold a class name per line, each once, got {len(names)} lines "
            f"with {len(set(names))} names; correct it"
        )
    return dict(enumerate(names))
