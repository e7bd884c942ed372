"""Settings of datasets of pictures with a label map or with one class each."""

import re
from typing import Literal

from pydantic import Field, field_validator

from data_pipeline.settings import DataSettings, RootedData


class CamVidData(RootedData):
    """CamVid in the layout of the SegNet tutorial: 480 x 360, 11 classes and void."""

    dataset: Literal["camvid"] = Field("camvid", description="CamVid, SegNet tutorial layout.")


class IsbiData(RootedData):
    """ISBI 2012 electron microscopy slices: 512 x 512, cell or membrane."""

    dataset: Literal["isbi2012"] = Field("isbi2012", description="ISBI 2012 EM slices.")


class ImageFolderData(RootedData):
    """A folder of pictures per class, with or without a folder per split above them."""

    dataset: Literal["image_folder"] = Field("image_folder", description="Folders of pictures.")
    group_pattern: str | None = Field(
        None,
        description="Regular expression that finds in a file's name what splits must not cut "
        "apart, such as the patient: its first bracket, as in '^(p[0-9]+)_'. A name that it does "
        "not fit is a group of its own; null: all are.",
    )

    @field_validator("group_pattern")
    @classmethod
    def _has_one_bracket(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                brackets = re.compile(value).groups
            except re.error as error:
                raise ValueError(
                    f"group_pattern must be a regular expression, got {value!r}: {error}"
                ) from error
            if not brackets:
                raise ValueError(
                    f"group_pattern must have a bracket around the group's name, got {value!r}"
                )
        return value


class MnistData(RootedData):
    """MNIST in its four IDX files, gzipped or not, in `root` or in `root`/MNIST/raw."""

    dataset: Literal["mnist"] = Field("mnist", description="MNIST's IDX files.")


class CifarData(RootedData):
    """CIFAR-10 or CIFAR-100 in the Python files of its authors, unpacked in `root`."""

    dataset: Literal["cifar"] = Field("cifar", description="CIFAR's Python files.")
    variant: Literal[10, 100] = Field(
        10, description="CIFAR-10, or CIFAR-100 with its 100 fine classes."
    )


class DigitsData(DataSettings):
    """The 1,797 digits of 8 x 8 pixels that are installed with scikit-learn."""

    dataset: Literal["digits"] = Field("digits", description="scikit-learn's digits.")
