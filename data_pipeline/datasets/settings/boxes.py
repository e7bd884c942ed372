"""Settings of datasets whose objects have boxes, and of COCO whose objects have outlines too."""

from typing import Literal

from pydantic import Field, field_validator

from data_pipeline.settings import FrozenSettings, RootedData


class BoxData(RootedData):
    """Fields of every dataset of pictures with boxed objects."""

    keep_empty: bool = Field(
        False,
        description="Keep images without an object of a chosen class: all that is found in them "
        "is wrong. Needed for the papers' AP.",
    )


class TurnableBoxData(BoxData):
    """Fields of datasets whose annotations refer to pictures as stored or as shown."""

    orientation: Literal["stored", "exif"] = Field(
        "stored",
        description="Which way up the annotations take a picture. stored: as its pixels are "
        "stored, whatever its EXIF tag says; exif: turned by it, as tools show photos of phones. "
        "TIFF is always turned by its tag.",
    )


class CocoData(TurnableBoxData):
    """Images with instance annotations in the COCO layout."""

    dataset: Literal["coco"] = Field("coco", description="COCO layout.")
    year: int = Field(2017, ge=0, description="Fills {year} in the two names below.")
    annotations: str = Field(
        "instances_{split}{year}.json",
        pattern=r"\{split\}",
        description="File name in `annotations/`; {split} becomes train, val or test.",
    )
    images: str = Field(
        "{split}{year}", description="Folder of a split's images, relative to `root`."
    )


class OpenImagesData(BoxData):
    """Open Images in its official files: CSV lists of boxes, one folder of pictures per split."""

    dataset: Literal["open_images"] = Field("open_images", description="Open Images layout.")
    class_list: str = Field(
        "class-descriptions-boxable.csv",
        min_length=1,
        description="File in `root` with lines of label,name; names are the classes.",
    )
    annotations: str = Field(
        "{split}-annotations-bbox.csv",
        pattern=r"\{split\}",
        description="File of boxes in `root`; {split} becomes train, validation or test. Where it "
        "is absent, the same name after `oidv6-` is taken.",
    )
    images: str = Field(
        "{split}",
        description="Folder of a split's pictures, relative to `root`; {split} as above.",
    )
    group_of: Literal["crowd", "object", "drop"] = Field(
        "crowd",
        description="A box around more than five of a class (IsGroupOf). crowd: no training "
        "target, and neither hit nor miss when scored; object: like any other; drop: not used.",
    )
    leave_out: list[Literal["occluded", "truncated", "depiction", "inside"]] = Field(
        default_factory=list,
        description="Boxes with one of these flags are not used. depiction: a drawing or a photo "
        "of the object; inside: taken from inside it.",
    )
    upright: bool = Field(
        False,
        description="Turn pictures and boxes by `Rotation` of the official image lists (2.6 % of "
        "Open Images lie on their side or head); false: as stored.",
    )


class VocData(TurnableBoxData):
    """PASCAL VOC and what is laid out like it: XML per picture, lists in ImageSets/Main."""

    dataset: Literal["voc"] = Field("voc", description="PASCAL VOC layout.")
    year: int = Field(
        2007,
        ge=0,
        description="Which VOCdevkit/VOC{year} or VOC{year} in `root`; `root` itself where it "
        "holds ImageSets.",
    )
    lists: str = Field(
        "{split}.txt",
        pattern=r"\{split\}",
        description="File of picture ids in ImageSets/Main; {split} becomes train, val or test.",
    )
    all_classes: list[str] = Field(
        default_factory=list,
        description="Every class of the dataset, in its order; empty: those of the objects in the "
        "listed pictures, in the order of the alphabet.",
    )
    corners: Literal["pixels_from_1", "edges"] = Field(
        "pixels_from_1",
        description="What xmin to ymax are. pixels_from_1: as in PASCAL, the first and last "
        "pixel, counted from 1, so that a box from 1 to the width is all of it; edges: as by "
        "LabelImg, pixels from the left and upper edge.",
    )

    @field_validator("all_classes")
    @classmethod
    def _classes_are_named_once(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError(f"every class must be named once, got {', '.join(names)}")
        return names


class YoloFolders(FrozenSettings):
    """What {split} becomes in the folders of a YOLO dataset."""

    train: str = Field("train", description="Folder name of training pictures and labels.")
    val: str = Field("val", description="Folder name of validation pictures and labels.")
    test: str = Field("test", description="Folder name of test pictures and labels.")


class YoloData(TurnableBoxData):
    """YOLO text files: class and box, or class and polygon, in shares of the picture."""

    dataset: Literal["yolo"] = Field("yolo", description="YOLO text layout.")
    orientation: Literal["stored", "exif"] = Field(
        "exif",
        description="Which way up the labels take a picture. exif: turned by its EXIF tag, as "
        "YOLO's own tools read it; stored: as its pixels are stored. TIFF is always turned.",
    )
    names: str = Field(
        "data.yaml",
        min_length=1,
        description="YAML file in `root` whose `names` are the classes; its paths are not used.",
    )
    images: str = Field(
        "images/{split}",
        pattern=r"\{split\}",
        description="Folder of a split's pictures, relative to `root`; {split} is one of "
        "`folders`.",
    )
    labels: str = Field(
        "labels/{split}",
        pattern=r"\{split\}",
        description="Folder of a split's text files, relative to `root`; a picture without one "
        "has no objects.",
    )
    folders: YoloFolders = Field(
        default_factory=YoloFolders, description="Folder name of each split."
    )


class ListFiles(FrozenSettings):
    """The text file of each split."""

    train: str = Field("train.txt", description="File of training boxes.")
    val: str = Field("val.txt", description="File of validation boxes.")
    test: str = Field("test.txt", description="File of test boxes.")


class BoxListData(TurnableBoxData):
    """One text file per split with lines of path,x1,y1,x2,y2,class."""

    dataset: Literal["box_list"] = Field("box_list", description="path,x1,y1,x2,y2,class lines.")
    lists: ListFiles = Field(
        default_factory=ListFiles,
        description="Text file of each split, relative to `root`; corners are in pixels from the "
        "upper left, and paths are relative to `root` or of another machine.",
    )
