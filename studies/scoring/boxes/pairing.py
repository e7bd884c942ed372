"""Bring true boxes and detections of the same picture together, and both into its pixels."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.records import Box, has_area, in_pixels
from models.metrics.scored_images import Objects, ScoredImage
from studies.scoring.boxes.naming import NamedBy, NameRule, places_of
from studies.scoring.boxes.picture_sizes import PictureSizes
from studies.scoring.boxes.records import Found, FoundImage, TrueImage, Truth, UnusableBoxesError

UNIT = (1, 1)  # size of a picture whose boxes are shares on both sides


@dataclass(slots=True)
class Paired:
    """Images to be scored, and what could not be brought together."""

    class_names: tuple[str, ...]
    images: list[ScoredImage] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # true, and without a file of detections
    extra: list[str] = field(default_factory=list)  # pictures that the truth does not have
    unknown: Counter[str] = field(default_factory=Counter)  # class -> detections left out
    without_area: int = 0  # true boxes left out
    empty: int = 0  # pictures without a detection


def pair(
    truth: Truth,
    found: Found,
    sizes: PictureSizes,
    *,
    only: Sequence[str] = (),
    named_by: NamedBy | None = None,
    needs_pixels: bool,
) -> Paired:
    """Match pictures and classes by their names.

    Args:
        truth: The ground truth.
        found: The detections.
        sizes: Asked where one side has shares and the other pixels.
        only: Lines that name the pictures to be scored, whole or by their first word; (): all.
        named_by: By what detections name pictures; None: as is usual with their format.
        needs_pixels: Boxes must be in pixels, though both sides have shares.

    Raises:
        UnusableBoxesError: No picture or no class agrees, or a size is not known.
    """
    detections, extra = _by_truth(truth, found, named_by)
    chosen = _chosen(truth, only)
    paired = Paired(truth.class_names, extra=extra)
    for index in chosen:
        image = truth.images[index]
        own = detections.get(index)
        if own is None and found.is_per_image:
            paired.missing.append(image.record.image_id)
        paired.empty += not (own and own.boxes)
        size_hw = _size(image, own, found, sizes, needs_pixels=needs_pixels)
        paired.images.append(_scored(paired, image, own, found, size_hw))
    _check_classes(paired, found)
    return paired


def _by_truth(
    truth: Truth, found: Found, named_by: NamedBy | None
) -> tuple[dict[int, FoundImage], list[str]]:
    """Return the detections of each true picture, by its place, and the names of others."""
    rule = NameRule(
        "ids" if found.has_ids else "files",
        "PREDICTIONS",
        "say which by --found-names files or --found-names ids",
        named_by,
    )
    names = [(image.name,) for image in found.images]
    places = places_of(names, [image.record for image in truth.images], rule)
    detections: dict[int, FoundImage] = {}
    extra = []
    for image, place in zip(found.images, places, strict=True):
        if place is None:
            extra.append(image.name)
        elif place in detections:
            raise UnusableBoxesError(
                f"a picture must have its detections once, but '{detections[place].name}' and "
                f"'{image.name}' are both of '{truth.images[place].record.image_id}'"
            )
        else:
            detections[place] = image
    if found.images and not detections:
        raise UnusableBoxesError(
            "GT and PREDICTIONS must be of the same pictures, but no two names agree: the first "
            f"are '{truth.images[0].record.image_id}' and '{found.images[0].name}'"
        )
    return detections, extra


def _chosen(truth: Truth, only: Sequence[str]) -> list[int]:
    """Return the places of the pictures that lines name; VOC's lists have a number behind it."""
    if not only:
        return list(range(len(truth.images)))
    rule = NameRule("files", "--only", "write the names of files with their endings")
    names = [(line, line.split()[0]) for line in only]
    places = places_of(names, [image.record for image in truth.images], rule)
    for line, place in zip(only, places, strict=True):
        if place is None:
            raise UnusableBoxesError(
                f"--only must name pictures of GT, a line each, got '{line}', which GT does not "
                "have; correct it"
            )
    return sorted({place for place in places if place is not None})


def _size(
    image: TrueImage,
    own: FoundImage | None,
    found: Found,
    sizes: PictureSizes,
    *,
    needs_pixels: bool,
) -> tuple[int, int]:
    record = image.record
    stated = [each for each in (record.size_hw, own and own.size_hw) if each]
    if len(set(stated)) > 1:
        raise UnusableBoxesError(
            f"boxes of picture '{record.image_id}' must be in pixels of one picture, but GT's is "
            f"{stated[0][0]} x {stated[0][1]} (height x width) and that of PREDICTIONS "
            f"{stated[1][0]} x {stated[1][1]}; score what `visionstudy predict` brings back to "
            "the picture's size"
        )
    if stated:
        return stated[0]
    if record.is_normalised == found.is_normalised and not (needs_pixels and found.is_normalised):
        return UNIT
    return sizes.size_of(record.image_id)


def _scored(
    paired: Paired,
    image: TrueImage,
    own: FoundImage | None,
    found: Found,
    size_hw: tuple[int, int],
) -> ScoredImage:
    labels = {name: label for label, name in enumerate(paired.class_names)}
    record = in_pixels(image.record, size_hw)
    true = [each for each in record.objects if has_area(each.box_xyxy)]
    paired.without_area += len(record.objects) - len(true)
    boxes = own.boxes if own else ()
    known = [each for each in boxes if each.class_name in labels]
    paired.unknown.update(each.class_name for each in boxes if each.class_name not in labels)
    true_boxes = _array([each.box_xyxy for each in true])
    found_boxes = _array([each.box_xyxy for each in known])
    if found.is_normalised:
        found_boxes = found_boxes * (size_hw[1], size_hw[0], size_hw[1], size_hw[0])
    sides = (true_boxes[:, 2:] - true_boxes[:, :2]).prod(axis=1) * image.pixel_area
    areas = [
        side if each.area is None else each.area for each, side in zip(true, sides, strict=True)
    ]
    return ScoredImage(
        image_id=record.image_id,
        size_hw=size_hw,
        pixel_area=image.pixel_area,
        truth=Objects(_labels([labels[each.class_name] for each in true]), true_boxes, None),
        truth_areas=np.array(areas, np.float64),
        is_ignored=np.array([each.is_crowd or each.is_difficult for each in true], np.bool_),
        found=Objects(_labels([labels[each.class_name] for each in known]), found_boxes, None),
        scores=np.array([each.score for each in known], np.float64),
    )


def _check_classes(paired: Paired, found: Found) -> None:
    """Raise if there are detections and none of them is of a class of the truth."""
    scored = sum(len(image.scores) for image in paired.images)
    if paired.unknown and not scored:
        raise UnusableBoxesError(
            f"GT and PREDICTIONS ({found.kind}) must have a class in common, got "
            f"{_some(paired.class_names)} and {_some(list(paired.unknown))}; where classes are "
            "numbers, say their names by --classes, or those of PREDICTIONS by --found-classes"
        )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:5])
    return shown + (", …" if len(names) > 5 else "") if names else "none"


def _array(boxes: Sequence[Box]) -> NDArray[np.float64]:
    return np.array(boxes, np.float64).reshape(-1, 4)


def _labels(labels: Sequence[int]) -> NDArray[np.int64]:
    return np.array(labels, np.int64)
