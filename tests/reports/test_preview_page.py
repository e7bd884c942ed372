"""The page about a trial's input: what is drawn is what it was given."""

import base64
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reports.preview_page import preview_contents, render_preview, write_preview
from reports.preview_record import (
    IGNORED,
    BatchFacts,
    PreviewObject,
    PreviewRecord,
    PreviewSample,
    View,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)


def decoded(source: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    content = base64.b64decode(source.split(",", 1)[1])
    return np.asarray(Image.open(BytesIO(content)))


def page_of(*views: View, has_background: bool = False) -> PreviewRecord:
    return PreviewRecord(
        study="demo <b>",
        task="object_detection",
        dataset="coco",
        configuration="base settings",
        class_names=("background", "car") if has_background else ("person", "car"),
        has_background=has_background,
        settings=(("input size", "16 pixels"),),
        batch=BatchFacts("8 of 3", "pictures", "uint8", 0, 255),
        samples=(PreviewSample("a & b", ("car",), views),),
        of_samples=1,
    )


def boxed(**changes: object) -> View:
    objects = (
        PreviewObject((1.0, 2.0, 5.0, 8.0), label=1),
        PreviewObject((0.0, 0.0, 3.0, 3.0), label=0, note="crowd"),
    )
    fields: dict[str, object] = {"title": "epoch 1", "frames": (PIXELS,), "objects": objects}
    return View(**(fields | changes))  # type: ignore[arg-type]


def test_an_exact_picture_is_inlined_pixel_by_pixel() -> None:
    (view,) = preview_contents(page_of(boxed())).samples[0].views
    assert (decoded(view.frames[0]) == PIXELS).all()


def test_a_large_picture_from_disk_is_scaled_down() -> None:
    large = np.zeros((900, 1200, 3), dtype=np.uint8)
    (view,) = preview_contents(page_of(boxed(frames=(large,), is_exact=False))).samples[0].views
    assert decoded(view.frames[0]).shape == (360, 480, 3)
    assert (view.width, view.height) == (1200, 900)  # boxes are in its own pixels
    assert view.note == "1200 \N{MULTIPLICATION SIGN} 900 pixels"


def test_boxes_are_in_the_pixels_of_their_picture_and_named() -> None:
    (view,) = preview_contents(page_of(boxed())).samples[0].views
    car, crowd = view.boxes
    assert (car.x, car.y, car.width, car.height, car.text) == (1, 2, 4, 6, "car")
    assert crowd.text == "person (crowd)"
    assert view.alt == "a & b, epoch 1: 1 car and 1 person"


def test_a_label_map_is_painted_but_for_the_background() -> None:
    labels = np.zeros((12, 16), dtype=np.int16)
    labels[:4], labels[8:] = 1, IGNORED
    record = page_of(boxed(objects=(), labels=labels), has_background=True)
    contents = preview_contents(record)
    overlay = contents.samples[0].views[0].overlay
    assert overlay is not None
    painted = decoded(overlay)
    assert (painted[4:8, :, 3] == 0).all()
    assert (painted[:4, :, 3] > 0).all()
    assert (painted[8:, :, :3] == 255).all()
    assert [name for name, _ in contents.legend] == ["car"]


def test_masks_are_painted_in_the_colour_of_their_class() -> None:
    mask = np.zeros((12, 16), dtype=np.bool_)
    mask[2:8, 1:5] = True
    shown = PreviewObject((1.0, 2.0, 5.0, 8.0), label=1, mask=mask)
    contents = preview_contents(page_of(boxed(objects=(shown,))))
    overlay = contents.samples[0].views[0].overlay
    assert overlay is not None
    painted = decoded(overlay)
    assert ((painted[..., 3] > 0) == mask).all()
    red, green, blue = (int(value) for value in painted[2, 1, :3])
    assert contents.legend == (("car", f"rgb({red} {green} {blue})"),)


def test_classes_have_colours_of_their_own() -> None:
    labels = np.arange(60, dtype=np.int16).reshape(6, 10)
    view = boxed(objects=(), labels=labels, frames=(PIXELS[:6, :10],))
    record = page_of(view)
    many = PreviewRecord(
        **{name: getattr(record, name) for name in record.__dataclass_fields__}
        | {"class_names": tuple(f"class {n}" for n in range(60))}
    )
    legend = preview_contents(many).legend
    assert len({colour for _, colour in legend}) == 60


class Page(HTMLParser):
    """Collects what is loaded and which pictures say nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.silent += not values["alt"] and values.get("aria-hidden") != "true"
        self.sources += [str(values[name]) for name in ("src", "href") if values.get(name)]


def test_the_page_loads_nothing_escapes_names_and_describes_its_pictures() -> None:
    clip = boxed(frames=(PIXELS,) * 3, objects=())
    html = render_preview(page_of(boxed(), clip), generated_at="now")
    page = Page()
    page.feed(html)
    assert all(source.startswith(("data:", "#")) for source in page.sources)
    assert page.silent == 0
    assert "<b>" not in html
    assert "default-src 'none'" in html
    assert html.count('class="reel"') == 1
    assert len(re.findall(r"<img(?! class=.marks)", html)) == 4


def test_the_same_record_gives_the_same_page(tmp_path: Path) -> None:
    record = page_of(boxed())
    assert render_preview(record, generated_at="x") == render_preview(record, generated_at="x")
    write_preview(record, tmp_path / "deep" / "preview.html")
    assert (tmp_path / "deep" / "preview.html").read_text(encoding="utf-8").endswith("</html>\n")


@pytest.mark.parametrize("has_objects", [True, False])
def test_annotations_can_be_hidden_where_there_are_any(has_objects: bool) -> None:
    view = boxed() if has_objects else boxed(objects=())
    assert ('id="marks-shown"' in render_preview(page_of(view))) is has_objects
