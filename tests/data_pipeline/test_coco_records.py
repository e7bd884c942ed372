"""COCO's JSON, walked through in pieces; and whatever else may stand in such a file."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_pipeline.datasets import json_elements as walker
from data_pipeline.datasets.coco_records import coco_class_names, coco_records
from data_pipeline.datasets.json_elements import json_elements, value_at
from data_pipeline.datasets.records import ImageRecord, ObjectRecord
from data_pipeline.errors import InvalidDataError
from data_pipeline.faults import Fault

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def elements_of(content: dict[str, Any]) -> list[tuple[str, Any]]:
    """What the walk must give, in the simplest words."""
    return [
        (key, part)
        for key, value in content.items()
        for part in (value if isinstance(value, list) and value else [value])
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(st.text(), VALUES, max_size=5),
    st.integers(1, 9),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_walk_gives_what_json_gives_however_short_its_pieces(
    tmp_path: Path,
    content: dict[str, Any],
    piece: int,
    indent: int | None,
    escaped: bool,
) -> None:
    file = tmp_path / "any.json"
    text = json.dumps(content, indent=indent, ensure_ascii=escaped)
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.MonkeyPatch.context() as patch, file.open("rb") as stream:
        patch.setattr(walker, "CHUNK_BYTES", piece)
        for element, (key, value) in zip(json_elements(file), elements_of(content), strict=True):
            assert (element.key, element.value) == (key, value)
            assert value_at(stream, element.start, element.end) == value


NO_JSON = [
    "",
    "[]",
    "null",
    "{",
    '{"images": [1, 2',
    '{"images": [1 2]}',
    '{"images": [1,]}',
    '{"images" [1]}',
    "{3: [1]}",
    '{"images": [1]} x',
    '{"images": ["\x00"]}',
    '{"images": [' + "[" * 100_000,
    '{"images": [' + "[" * 300 + "]" * 300 + "]}",
    '{"images": [' + "9" * 5000 + "]}",
]


@pytest.mark.parametrize("text", NO_JSON)
def test_what_is_no_json_object_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "instances.json"
    file.write_text(text)
    with pytest.raises(InvalidDataError, match=r"instances\.json must be COCO JSON: .*\(byte \d"):
        list(json_elements(file))


def test_text_of_another_encoding_is_refused_and_a_byte_order_mark_is_not(tmp_path: Path) -> None:
    file = tmp_path / "instances.json"
    file.write_bytes('{"images": ["é"]}'.encode("latin-1"))
    with pytest.raises(InvalidDataError, match="must be COCO JSON"):
        list(json_elements(file))
    file.write_text('{"images": ["é"]}', encoding="utf-8-sig")
    assert [element.value for element in json_elements(file)] == ["é"]


def test_memory_stays_below_the_file_however_long_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walker, "CHUNK_BYTES", 64 * 1024)
    file = tmp_path / "instances.json"
    polygon = [[float(n) for n in range(400)]]
    annotation = json.dumps(GOOD | {"segmentation": polygon})
    image = '{"id": 1, "file_name": "1.jpg"}'
    file.write_text(
        f'{{"images": [{image}], "categories": [{{"id": 1, "name": "cat"}}], "annotations": ['
        + ",".join([annotation.replace('"image_id": 1', '"image_id": 2')] * 3_000)
        + "]}"
    )
    tracemalloc.start()
    try:
        found = list(coco_records(file))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == 2
    assert peak < file.stat().st_size / 4


GOOD: dict[str, Any] = {
    "id": 5,
    "image_id": 1,
    "category_id": 1,
    "bbox": [1, 2, 3.5, 4],
    "area": 14,
    "iscrowd": 0,
    "segmentation": [[1, 2, 4.5, 2, 4.5, 6]],
}


def parsed(
    tmp_path: Path,
    *annotations: Any,
    images: list[Any] | None = None,
    categories: list[Any] | None = None,
) -> tuple[list[ImageRecord], list[Fault]]:
    file = tmp_path / "instances.json"
    content = {
        "images": images or [{"id": 1, "file_name": "1.jpg", "height": 40, "width": 60}],
        "annotations": annotations,
        "categories": categories or [{"id": 1, "name": "cat"}, {"id": 90, "name": "dog"}],
    }
    file.write_text(json.dumps(content))
    found = list(coco_records(file))
    records = [part for part in found if isinstance(part, ImageRecord)]
    return records, [part for part in found if isinstance(part, Fault)]


def test_annotation_becomes_an_object(tmp_path: Path) -> None:
    [record], faults = parsed(tmp_path, GOOD | {"iscrowd": 1, "category_id": 90})
    assert faults == []
    box = (1.0, 2.0, 4.5, 6.0)
    thing = ObjectRecord("dog", box, 14.0, is_crowd=True, outline=GOOD["segmentation"])
    assert record == ImageRecord("1", "1.jpg", (40, 60), (thing,))


def test_objects_are_in_the_order_of_their_ids(tmp_path: Path) -> None:
    numbered = [GOOD | {"id": n, "area": n} for n in (30, 4, 100)]
    [record], _ = parsed(tmp_path, *numbered)
    assert [thing.area for thing in record.objects] == [4, 30, 100]
    [record], _ = parsed(tmp_path, *(part | {"id": None} for part in numbered))
    assert [thing.area for thing in record.objects] == [30, 4, 100]


def test_ids_may_be_numbers_or_texts(tmp_path: Path) -> None:
    images = [{"id": "1", "file_name": "1.jpg"}, {"id": 2.0, "file_name": "2.jpg"}]
    records, faults = parsed(
        tmp_path, GOOD, GOOD | {"image_id": 2, "category_id": "1"}, images=images
    )
    assert faults == []
    assert [(r.image_id, len(r.objects), r.size_hw) for r in records] == [
        ("1", 1, None),
        ("2", 1, None),
    ]


SPOILED_ANNOTATIONS: list[tuple[Any, str]] = [
    ({"bbox": [1, 2, 3]}, "bbox must be x, y, width and height"),
    ({"bbox": None}, "bbox must be"),
    ({"bbox": "1 2 3 4"}, "bbox must be"),
    ({"bbox": [1, 2, "3", 4]}, "bbox must be"),
    ({"bbox": [1, 2, True, 4]}, "bbox must be"),
    ({"bbox": [1, 2, float("nan"), 4]}, "bbox must be"),
    ({"bbox": [1e308, 2, 1e308, 4]}, "bbox must be"),
    ({"bbox": [10**400, 2, 3, 4]}, "bbox must be"),
    ({"category_id": None}, "category_id must be a number or text"),
    ({"category_id": [1]}, "category_id must be a number or text"),
    ({"iscrowd": "yes"}, "iscrowd must be 0 or 1"),
    ({"iscrowd": [1]}, "iscrowd must be 0 or 1"),
]


@pytest.mark.parametrize(("change", "reason"), SPOILED_ANNOTATIONS)
def test_spoiled_annotation_leaves_out_itself_alone(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    [record], [fault] = parsed(tmp_path, GOOD, GOOD | {"id": 6} | change)
    assert len(record.objects) == 1
    assert (fault.kind, fault.where, fault.leaves_out) == ("malformed", "1", "box")
    assert f"annotation 6: {reason}" in fault.message


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"area": -1}, "area"),
        ({"area": "big"}, "area"),
        ({"area": float("inf")}, "area"),
        ({"segmentation": 7}, "outline"),
        ({"segmentation": "polygon"}, "outline"),
    ],
)
def test_spoiled_area_or_outline_leaves_the_box(
    tmp_path: Path, change: dict[str, Any], lost: str
) -> None:
    [record], [fault] = parsed(tmp_path, GOOD | change)
    assert getattr(record.objects[0], lost) is None
    assert (fault.kind, fault.leaves_out) == ("malformed", "nothing")


def test_negative_size_is_left_for_the_check_of_boxes(tmp_path: Path) -> None:
    [record], faults = parsed(tmp_path, GOOD | {"bbox": [10, 10, -5, 4]})
    assert faults == []
    assert record.objects[0].box_xyxy == (10, 10, 5, 14)


def test_category_that_is_not_listed_has_a_name_of_its_own(tmp_path: Path) -> None:
    [record], faults = parsed(tmp_path, GOOD | {"category_id": 7})
    assert faults == []
    assert record.objects[0].class_name == "category 7"


SPOILED_IMAGES: list[Any] = [
    None,
    {"id": 2},
    {"file_name": "2.jpg"},
    {"id": True, "file_name": "2.jpg"},
    {"id": "\ud800", "file_name": "2.jpg"},
    {"id": 2, "file_name": 5},
    {"id": 2, "file_name": "2.jpg", "height": -4, "width": 5},
    {"id": 2, "file_name": "2.jpg", "height": 4.5, "width": 5},
    {"id": 2, "file_name": "2.jpg", "height": 4},
    {"id": 2, "file_name": "2.jpg", "height": 10**12, "width": 10**12},
    {"id": 1, "file_name": "again.jpg"},
]


@pytest.mark.parametrize("spoiled", SPOILED_IMAGES)
def test_spoiled_image_leaves_out_itself_alone(tmp_path: Path, spoiled: Any) -> None:
    images = [{"id": 1, "file_name": "1.jpg"}, spoiled]
    records, [fault] = parsed(tmp_path, GOOD, images=images)
    assert [record.file_name for record in records] == ["1.jpg"]
    assert (fault.kind, fault.leaves_out) == ("malformed", "sample")
    assert fault.where.startswith("instances.json byte ")


@pytest.mark.parametrize("stray", [None, 3, {}, {"image_id": None}, {"image_id": 99}])
def test_annotation_of_no_listed_image_is_told(tmp_path: Path, stray: Any) -> None:
    [record], [fault] = parsed(tmp_path, GOOD, stray)
    assert len(record.objects) == 1
    assert (fault.kind, fault.leaves_out, fault.count) == ("malformed", "box", 1)


@pytest.mark.parametrize(
    "category", [None, {}, {"id": 1}, {"name": "cat"}, {"id": 1, "name": 4}, {"id": 1, "name": ""}]
)
def test_category_without_id_or_name_spoils_the_file(tmp_path: Path, category: Any) -> None:
    with pytest.raises(InvalidDataError, match=r"every category of .* must have an id and a name"):
        parsed(tmp_path, GOOD, categories=[category])


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_file_without_one_of_its_lists_is_refused(tmp_path: Path, key: str) -> None:
    file = tmp_path / "instances.json"
    whole: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
    file.write_text(json.dumps(whole))
    assert list(coco_records(file)) == []
    wrongs: list[dict[str, Any]] = [{}, {key: {}}, {key: None}]
    for wrong in wrongs:
        file.write_text(json.dumps({k: v for k, v in whole.items() if k != key} | wrong))
        with pytest.raises(InvalidDataError, match="must have images, annotations and categories"):
            list(coco_records(file))


def test_categories_of_one_name_are_one_class(tmp_path: Path) -> None:
    parsed(tmp_path, categories=[{"id": 8, "name": "cat"}, {"id": 3, "name": "cat"}])
    assert coco_class_names(tmp_path / "instances.json") == ("cat",)
