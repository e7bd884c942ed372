"""How large pictures are, for boxes that are shares of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from data_pipeline.datasets.picture_names import pictures_in
from data_pipeline.errors import DataError
from data_pipeline.images import image_size
from studies.scoring.boxes.records import UnusableBoxesError


@dataclass(slots=True)
class PictureSizes:
    """Sizes of the pictures in a folder, read where they are asked for."""

    folder: Path | None  # None: there are no pictures
    is_turned: bool  # by EXIF
    _files: Mapping[str, str] | None = field(default=None, init=False)
    _short: Mapping[str, str] = field(default_factory=dict, init=False)

    def size_of(self, name: str) -> tuple[int, int]:
        """Return height and width of a picture, by its name without an ending.

        Raises:
            UnusableBoxesError: It is not there, or no picture.
        """
        files = self.files()
        file = files.get(name) or self._short.get(Path(name).name)
        if self.folder is None or file is None:
            missing = (
                "no folder of pictures was named, nor is one beside GT"
                if self.folder is None
                else f"{self.folder} has no picture of this name"
            )
            raise UnusableBoxesError(
                f"the size of picture '{name}' must be known, for its boxes are shares of it, but "
                f"{missing}; name the folder of the pictures by --images"
            )
        try:
            return image_size(self.folder / file, turned=self.is_turned)
        except DataError as error:
            raise UnusableBoxesError(str(error)) from error

    def files(self) -> Mapping[str, str]:
        """Return the pictures by their names without an ending."""
        if self._files is None:
            self._files = {} if self.folder is None else pictures_in(self.folder)
            self._short = {Path(name).name: file for name, file in self._files.items()}
        return self._files


def pictures_beside(truth: Path) -> Path | None:
    """Return where the pictures of a ground truth usually are; None if there is no such folder.

    `labels` has `images` beside it (YOLO), `validation-annotations-bbox.csv` has `validation`.
    """
    if truth.is_dir():
        places = [index for index, part in enumerate(truth.parts) if part.startswith("labels")]
        if not places:
            return None
        folder = Path(*truth.parts[: places[-1]], "images", *truth.parts[places[-1] + 1 :])
    else:
        split = truth.name.removeprefix("oidv6-").partition("-annotations")[0]
        folder = truth.parent / split
    return folder if folder.is_dir() else None
