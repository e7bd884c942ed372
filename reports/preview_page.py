"""One self-contained HTML file: what will the network really see?

Pictures at the input size are inlined pixel by pixel (PNG); annotations lie over them, so that
they can be hidden.
"""

import base64
import colorsys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reports.notation import join_words, plural
from reports.preview_record import IGNORED, PreviewObject, PreviewRecord, View
from reports.tables.environment import moment_text
from reports.templating import template_environment, write_page

LONGEST_SIDE = 480  # of a picture that need not be exact, pixels
JPEG_QUALITY = 85
OPACITY = 0.45  # of label maps and masks over their picture
# Okabe and Ito 2008: told apart with any colour vision. Further classes go round the circle.
COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
    (240, 228, 66),
)
GOLDEN = 0.618034  # of a circle: steps that never meet
IGNORED_COLOUR = (255, 255, 255)

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ShownBox:
    """A box over a picture, in its pixels."""

    x: float
    y: float
    width: float
    height: float
    text: str
    colour: str  # CSS


@dataclass(frozen=True, slots=True)
class ShownView:
    """A view, ready to be placed on the page."""

    title: str
    note: str
    alt: str
    width: int  # of a frame, pixels
    height: int
    frames: tuple[str, ...]  # data URIs
    overlay: str | None  # data URI of label map and masks
    boxes: tuple[ShownBox, ...]


@dataclass(frozen=True, slots=True)
class ShownSample:
    """A row of the page."""

    sample_id: str
    classes: str
    is_clip: bool
    views: tuple[ShownView, ...]


@dataclass(frozen=True, slots=True)
class PreviewContents:
    """The page, section by section."""

    preview: PreviewRecord
    samples: tuple[ShownSample, ...]
    legend: tuple[tuple[str, str], ...]  # class that is shown, CSS colour
    has_marks: bool


def render_preview(preview: PreviewRecord, *, generated_at: str | None = None) -> str:
    """Return the page; the same record and `generated_at` give the same bytes."""
    moment = generated_at or moment_text(datetime.now(UTC))
    template = template_environment().get_template("preview.html.j2")
    return template.render(page=preview_contents(preview), generated_at=moment)


def write_preview(preview: PreviewRecord, file: Path) -> None:
    """Write the page; a reader never sees half a file."""
    write_page(render_preview(preview), file)


def preview_contents(preview: PreviewRecord) -> PreviewContents:
    """Compute everything that the page shows."""
    samples = tuple(
        ShownSample(
            sample_id=sample.sample_id,
            classes=join_words(sample.classes) if sample.classes else "no chosen class",
            is_clip=any(len(view.frames) > 1 for view in sample.views),
            views=tuple(_shown(view, sample.sample_id, preview) for view in sample.views),
        )
        for sample in preview.samples
    )
    marked = _marked_labels(preview)
    legend = [(preview.class_names[label], _css(_colour(label))) for label in marked]
    return PreviewContents(
        preview=preview,
        samples=samples,
        legend=tuple(legend),
        has_marks=any(view.overlay or view.boxes for each in samples for view in each.views),
    )


def _marked_labels(preview: PreviewRecord) -> list[int]:
    """Return the labels that are drawn somewhere, in their order."""
    marked: set[int] = set()
    for view in (view for sample in preview.samples for view in sample.views):
        marked |= {each.label for each in view.objects}
        if view.labels is not None:
            marked |= {int(label) for label in np.unique(view.labels)}
    return sorted(marked - {IGNORED} - ({0} if preview.has_background else set()))


def _shown(view: View, sample_id: str, preview: PreviewRecord) -> ShownView:
    height, width = view.frames[0].shape[:2]
    overlay = _overlay(view, preview.has_background)
    return ShownView(
        title=view.title,
        note=f"{width} \N{MULTIPLICATION SIGN} {height} pixels{view.note and ', ' + view.note}",
        alt=f"{sample_id}, {view.title}{_contents(view, preview.class_names)}",
        width=width,
        height=height,
        frames=tuple(_picture(frame, is_exact=view.is_exact) for frame in view.frames),
        overlay=None if overlay is None else _marks(overlay, is_exact=view.is_exact),
        boxes=tuple(_box(each, preview.class_names) for each in view.objects),
    )


def _contents(view: View, class_names: tuple[str, ...]) -> str:
    """Say what is marked in a picture, for those who cannot see it."""
    counts = Counter(class_names[each.label] for each in view.objects)
    return ": " + join_words(plural(n, name) for name, n in counts.items()) if counts else ""


def _box(shown: PreviewObject, class_names: tuple[str, ...]) -> ShownBox:
    x1, y1, x2, y2 = shown.box_xyxy
    name = class_names[shown.label]
    return ShownBox(
        x=round(x1, 2),
        y=round(y1, 2),
        width=round(x2 - x1, 2),
        height=round(y2 - y1, 2),
        text=f"{name} ({shown.note})" if shown.note else name,
        colour=_css(IGNORED_COLOUR if shown.note else _colour(shown.label)),
    )


def _overlay(view: View, has_background: bool) -> NDArray[np.uint8] | None:
    """Paint label map and masks: (h, w, 4) RGBA; None where there are none."""
    masks = [(each.mask, each.label) for each in view.objects if each.mask is not None]
    if view.labels is None and not masks:
        return None
    painted = np.zeros((*view.frames[0].shape[:2], 4), dtype=np.uint8)
    if view.labels is not None:
        for label in np.unique(view.labels):
            if label != 0 or not has_background:
                painted[view.labels == label] = _tint(int(label))
    for mask, label in masks:
        painted[mask] = _tint(label)
    return painted


def _tint(label: int) -> tuple[int, int, int, int]:
    return (*(IGNORED_COLOUR if label == IGNORED else _colour(label)), round(255 * OPACITY))


def _colour(label: int) -> Colour:
    if label < len(COLOURS):
        return COLOURS[label]
    parts = colorsys.hls_to_rgb(label * GOLDEN % 1, 0.35 + 0.3 * (label % 2), 0.8)
    red, green, blue = (round(255 * part) for part in parts)
    return red, green, blue


def _css(colour: Colour) -> str:
    return "rgb({} {} {})".format(*colour)


def _picture(frame: NDArray[np.uint8], *, is_exact: bool) -> str:
    image = Image.fromarray(np.ascontiguousarray(frame))
    if is_exact:
        return _data_uri(image, "PNG")
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return _data_uri(image, "JPEG")


def _marks(painted: NDArray[np.uint8], *, is_exact: bool) -> str:
    image = Image.fromarray(painted)
    if not is_exact:
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.NEAREST)
    return _data_uri(image, "PNG")


def _data_uri(image: Image.Image, kind: str) -> str:
    stream = BytesIO()
    options = {"quality": JPEG_QUALITY} if kind == "JPEG" else {"optimize": True}
    image.save(stream, kind, **options)
    content = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{content}"
