"""Generated scenes: the same bytes for the same seed, and a real COCO data set."""

import json
import multiprocessing
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pytest
from pycocotools import mask as run_lengths  # type: ignore[import-untyped]
from pycocotools.coco import COCO  # type: ignore[import-untyped]

from data_pipeline.catalog import check_data, class_names, data_fingerprint, label_names
from data_pipeline.datasets import street_scenes as reader
from data_pipeline.datasets.dataset import Item
from data_pipeline.datasets.drawn_folder import MARKER
from data_pipeline.datasets.settings.boxes import CocoData, OpenImagesData, VocData
from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.datasets.street_scenes import LAYOUTS, drawn_scenes, write_scenes
from data_pipeline.errors import InvalidDataError, UnsupportedTaskError
from data_pipeline.samples import DetectionSample
from data_pipeline.scenes.canvas import Canvas
from data_pipeline.scenes.composition import CLASS_NAMES, MIN_PIXELS, draw_scene
from data_pipeline.splitting.splits import SPLITS

# pycocotools 2.0.11 on NumPy 2; the reader itself silences it
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

IDS = {"person": 1, "car": 3, "bus": 6, "traffic light": 10, "stop sign": 13}


def contents(root: Path) -> dict[str, bytes]:
    files = (file for file in sorted(root.rglob("*")) if file.is_file() and file.name != MARKER)
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


def small(folder: Path, **changes: int) -> StreetScenesData:
    fields = {"images": 5, "picture_width": 64, "picture_height": 64} | changes
    return StreetScenesData.model_validate({"drawn_in": folder, **fields})


def test_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    write_scenes(tmp_path / "a", small(tmp_path))
    write_scenes(tmp_path / "b", small(tmp_path))
    write_scenes(tmp_path / "c", small(tmp_path, scene_seed=1))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_scenes_are_a_coco_folder_that_pycocotools_reads(scenes: StreetScenesData) -> None:
    root = drawn_scenes(scenes)
    assert (
        check_data(CocoData(root=root, annotations="instances_{split}.json", images="{split}"))
        == []
    )
    seen = 0
    for split in SPLITS:
        truth = COCO(root / "annotations" / f"instances_{split}.json")
        assert {c["name"]: c["id"] for c in truth.loadCats(truth.getCatIds())} == IDS
        assert all((root / split / i["file_name"]).is_file() for i in truth.imgs.values())
        seen += len(truth.imgs)
    assert seen == 20


def test_areas_and_boxes_are_those_of_the_masks(scenes: StreetScenesData) -> None:
    root = drawn_scenes(scenes)
    content = json.loads((root / "annotations" / "instances_train.json").read_text())
    for annotation in content["annotations"]:
        mask = run_lengths.decode(annotation["segmentation"]).astype(bool)
        assert mask.shape == (72, 96)
        assert annotation["area"] == mask.sum() >= MIN_PIXELS
        rows, columns = np.nonzero(mask)
        x, y, width, height = annotation["bbox"]
        assert (x, y) == (columns.min(), rows.min())
        assert (x + width, y + height) == (columns.max() + 1, rows.max() + 1)


def test_no_pixel_belongs_to_two_objects_and_every_scene_has_one() -> None:
    for number in range(1, 21):
        scene = draw_scene(3, number, width=96, height=72)
        owners = np.sum([thing.mask for thing in scene.objects], axis=0)
        assert owners.max() == 1
        assert any(not thing.is_crowd for thing in scene.objects)
        assert scene.image.shape == (72, 96, 3)
        assert scene.image.std() > 10


def test_every_class_and_crowds_appear_and_none_is_rare() -> None:
    drawn = [draw_scene(0, number, width=96, height=72) for number in range(1, 61)]
    share = {
        name: sum(any(o.class_name == name for o in s.objects) for s in drawn) / len(drawn)
        for name in CLASS_NAMES
    }
    assert min(share.values()) > 0.2, share
    assert any(thing.is_crowd for scene in drawn for thing in scene.objects)


def test_what_is_drawn_later_hides_what_was_there() -> None:
    canvas = Canvas(20, 10)
    canvas.owner = 1
    canvas.polygon([(-10, -10), (60, -10), (60, 60), (-10, 60)], (200, 0, 0))
    canvas.owner = 2
    canvas.polygon([(30, -10), (80, -10), (80, 60), (30, 60)], (0, 0, 200))
    picture, owners = canvas.reduced()
    assert (owners[:, :9] == 1).all()
    assert (owners[:, 11:] == 2).all()
    assert picture[5, 3].tolist() == [200, 0, 0]
    assert picture[5, 15].tolist() == [0, 0, 200]


def test_scenes_are_drawn_once(tmp_path: Path) -> None:
    folder = drawn_scenes(small(tmp_path))
    before = (folder / "complete").stat().st_mtime_ns
    assert drawn_scenes(small(tmp_path)) == folder
    assert (folder / "complete").stat().st_mtime_ns == before
    assert list(tmp_path.iterdir()) == [folder]  # nothing temporary is left


def test_other_settings_are_drawn_elsewhere(tmp_path: Path) -> None:
    settings = [
        small(tmp_path),
        small(tmp_path, images=6),
        small(tmp_path, scene_seed=1),
        small(tmp_path, picture_width=80),
    ]
    assert len({data_fingerprint(s) for s in settings}) == len(settings)
    assert len({drawn_scenes(s) for s in settings}) == len(settings)


def test_settings_that_change_no_pixel_share_the_scenes(tmp_path: Path) -> None:
    chosen = small(tmp_path).model_copy(update={"classes": ["car"], "image_size": 64})
    assert data_fingerprint(chosen) == data_fingerprint(small(tmp_path))


def test_unfinished_folder_is_named(tmp_path: Path) -> None:
    folder = drawn_scenes(small(tmp_path))
    (folder / MARKER).unlink()
    with pytest.raises(InvalidDataError, match=r"has no file 'complete'; delete the folder"):
        drawn_scenes(small(tmp_path))


def test_two_processes_that_draw_at_once_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.map(drawn_scenes, [small(tmp_path)] * 2, chunksize=1)
    assert first == second
    assert list(tmp_path.iterdir()) == [first]
    write_scenes(tmp_path / "again", small(tmp_path))
    assert contents(first) == contents(tmp_path / "again")


def boxes_of(settings: StreetScenesData) -> dict[int, list[tuple[str, bool, list[float]]]]:
    """Read class, crowd and corners of every object, by the number of the scene."""
    found = {}
    for split in SPLITS:
        dataset = reader.build(settings, "object_detection", split)
        assert dataset is not None
        assert dataset.faults == ()
        assert dataset.class_names == CLASS_NAMES
        for item in dataset.items:
            sample = cast(Item, item).read()
            assert isinstance(sample, DetectionSample)
            found[int(item.image_id)] = [
                (CLASS_NAMES[label], bool(crowd or difficult), box)
                for label, crowd, difficult, box in zip(
                    sample.labels,
                    sample.is_crowd,
                    sample.is_difficult,
                    sample.boxes_xyxy.tolist(),
                    strict=True,
                )
            ]
    return found


@pytest.mark.parametrize("layout", ["open_images", "voc"])
def test_every_layout_gives_the_boxes_of_coco(
    tmp_path: Path, layout: Literal["open_images", "voc"]
) -> None:
    fields = {"images": 40, "picture_width": 96, "picture_height": 72, "keep_empty": True}
    coco = StreetScenesData.model_validate({"drawn_in": tmp_path, **fields})
    expected = boxes_of(coco)
    found = boxes_of(coco.model_copy(update={"layout": layout}))
    assert any(crowd for things in expected.values() for _, crowd, _ in things)
    assert found.keys() == expected.keys()
    for number, things in found.items():
        assert [thing[:2] for thing in things] == [thing[:2] for thing in expected[number]]
        for (*_, box), (*_, exact) in zip(things, expected[number], strict=True):
            assert np.abs(np.array(box) - exact).max() < (
                0.01 if layout == "open_images" else 1e-9
            )


def test_layouts_have_the_same_pictures(tmp_path: Path) -> None:
    pictures = {}
    for layout in ("coco", "open_images", "voc"):
        root = drawn_scenes(small(tmp_path).model_copy(update={"layout": layout}))
        pictures[layout] = {file.name: file.read_bytes() for file in root.rglob("*.jpg")}
    assert pictures["coco"] == pictures["open_images"] == pictures["voc"]
    assert len(pictures["coco"]) == 5


def test_layouts_are_read_by_the_readers_of_their_format(tmp_path: Path) -> None:
    settings = small(tmp_path, images=12)
    official = OpenImagesData(
        root=drawn_scenes(settings.model_copy(update={"layout": "open_images"}))
    )
    pascal = VocData(root=drawn_scenes(settings.model_copy(update={"layout": "voc"})))
    assert check_data(official) == check_data(pascal) == []
    assert class_names(official) == CLASS_NAMES
    assert class_names(pascal) == tuple(sorted(CLASS_NAMES))


def test_few_scenes_may_lack_a_class_in_any_layout(tmp_path: Path) -> None:
    for layout in ("coco", "open_images", "voc"):
        settings = small(tmp_path, images=3).model_copy(update={"layout": layout})
        for name in CLASS_NAMES:
            chosen = settings.model_copy(update={"classes": [name]})
            dataset = reader.build(chosen, "object_detection", "test")
            assert dataset is not None
            assert dataset.class_names == (name,)


@pytest.mark.parametrize("task", ["semantic_segmentation", "instance_segmentation"])
@pytest.mark.parametrize("layout", ["open_images", "voc"])
def test_layouts_without_outlines_refuse_tasks_that_need_them(
    tmp_path: Path, layout: str, task: str
) -> None:
    settings = small(tmp_path).model_copy(update={"layout": layout})
    message = (
        rf"layout '{layout}' have boxes alone.*'{task}' needs outlines: choose data.layout: coco"
    )
    with pytest.raises(UnsupportedTaskError, match=message):
        label_names(settings, task)
    with pytest.raises(UnsupportedTaskError, match=message):
        reader.build(settings, task, "train")
    assert list(tmp_path.iterdir()) == []  # nothing was drawn for it


def test_other_layouts_are_drawn_elsewhere(tmp_path: Path) -> None:
    settings = [small(tmp_path).model_copy(update={"layout": name}) for name in LAYOUTS]
    assert len({data_fingerprint(s) for s in settings}) == 3
    assert len({drawn_scenes(s) for s in settings}) == 3


def test_scenes_without_a_chosen_class_are_kept_if_the_study_says_so(tmp_path: Path) -> None:
    settings = small(tmp_path, images=12).model_copy(update={"classes": ["bus"]})
    some = reader.build(settings, "object_detection", "train")
    every = reader.build(
        settings.model_copy(update={"keep_empty": True}), "object_detection", "train"
    )
    assert some is not None
    assert every is not None
    assert set(some.image_ids) < set(every.image_ids)


def test_unknown_class_is_named(tmp_path: Path) -> None:
    settings = small(tmp_path).model_copy(update={"classes": ["stop sing"]})
    [problem] = check_data(settings)
    assert "unknown class of dataset 'street_scenes' 'stop sing'; did you mean 'stop sign'?" in (
        problem
    )
    assert list(tmp_path.iterdir()) == []  # checking draws nothing
