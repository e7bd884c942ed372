"""Street scenes in the layout of PASCAL VOC: XML per picture, corners counted from 1.

VOC knows no crowds; one is written as difficult, so that finding it is neither right nor wrong.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree

from data_pipeline.scenes.description import DescribedObject, DescribedScene
from data_pipeline.splitting.splits import SplitName


def pictures_folder(split: SplitName) -> str:  # noqa: ARG001  # all splits share one folder
    """Return where a split's pictures belong, relative to the root."""
    return "JPEGImages"


def write_annotations(root: Path, split: SplitName, scenes: Iterable[DescribedScene]) -> None:
    """Write ImageSets/Main/<split>.txt and an XML file for each picture."""
    folder = root / "Annotations"
    folder.mkdir(exist_ok=True)
    ids = []
    for scene in scenes:
        ids.append(scene.image_id)
        tree = ElementTree.ElementTree(_annotation(scene))
        ElementTree.indent(tree, "\t")
        tree.write(folder / f"{scene.image_id}.xml", encoding="utf-8")
    lists = root / "ImageSets" / "Main"
    lists.mkdir(parents=True, exist_ok=True)
    (lists / f"{split}.txt").write_text("".join(f"{image_id}\n" for image_id in ids))


def _annotation(scene: DescribedScene) -> ElementTree.Element:
    height, width = scene.size_hw
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "folder").text = "JPEGImages"
    ElementTree.SubElement(root, "filename").text = scene.file_name
    _add(root, "source", {"database": "Street scenes drawn by visionstudy"})
    _add(root, "size", {"width": width, "height": height, "depth": 3})
    ElementTree.SubElement(root, "segmented").text = "0"
    for thing in scene.objects:
        _add_object(root, thing)
    return root


def _add_object(root: ElementTree.Element, thing: DescribedObject) -> None:
    x1, y1, x2, y2 = thing.box_xyxy
    difficult = int(thing.is_crowd)
    element = _add(root, "object", {"name": thing.class_name, "difficult": difficult})
    _add(element, "bndbox", {"xmin": x1 + 1, "ymin": y1 + 1, "xmax": x2, "ymax": y2})


def _add(
    parent: ElementTree.Element, tag: str, fields: Mapping[str, str | int]
) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag)
    for name, value in fields.items():
        ElementTree.SubElement(element, name).text = str(value)
    return element
