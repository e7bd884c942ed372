"""Every study we ship is in order, says what it is for, and does what it claims."""

import json
import pickle
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from data_pipeline.source import open_data
from reports.baselines import Protocol, load
from studies.spec.document import parse_value
from studies.spec.json_schema import study_schema_text
from studies.spec.load import load_study
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.search_schema import StageSpec
from studies.spec.settings import base_settings, for_class, with_changes

LIBRARY = Path(__file__).parents[2] / "studies" / "library"
SCHEMA = LIBRARY.parent / "study.schema.json"
STUDIES = sorted(LIBRARY.rglob("*.yaml"))
FOLDERS = {
    "COCO_ROOT": "coco_mini",
    "CAMVID_ROOT": "camvid_mini",
    "ISBI_ROOT": "isbi2012",
    "OPEN_IMAGES_ROOT": "openimages_from_coco",
    "BCCD_ROOT": "bccd",
    "VOC_ROOT": "voc_sample",
    "UCF101_ROOT": "ucf101_mini",
    "HMDB51_ROOT": "hmdb51_mini",
    "HYMENOPTERA_ROOT": "hymenoptera_mini",
}
NOWHERE = dict.fromkeys((*FOLDERS, "MNIST_ROOT", "CIFAR_ROOT"), "/nowhere")
WINNERS: dict[str, dict[str, Any]] = {  # of the thesis's stages, its Tables 8 to 10
    "image size": {"data.image_size": 256},
    "batch size": {"training.batch_size": 5},
    "learning rate": {"training.learning_rate": 1e-4},
}


def name_of(file: Path) -> str:
    return str(file.relative_to(LIBRARY))


@pytest.fixture(scope="module")
def roots(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Return where every dataset is: in part on disk, of MNIST and CIFAR what a check opens."""
    mnist, cifar = tmp_path_factory.mktemp("mnist"), tmp_path_factory.mktemp("cifar")
    for name in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (mnist / f"{name}-{kind}-ubyte").touch()
    batches = cifar / "cifar-10-batches-py"
    batches.mkdir()
    for number in range(1, 6):
        (batches / f"data_batch_{number}").touch()
    names = [f"class {number}".encode() for number in range(10)]
    (batches / "batches.meta").write_bytes(pickle.dumps({b"label_names": names}, protocol=2))
    found = {name: str(real_data / folder) for name, folder in FOLDERS.items()}
    return found | {"MNIST_ROOT": str(mnist), "CIFAR_ROOT": str(cifar)}


@pytest.fixture(scope="module")
def thesis() -> StudySpec:
    file = LIBRARY / "thesis" / "unet_coco.yaml"
    return load_study(file, environ=NOWHERE, check_data=False).spec


def test_the_library_is_complete() -> None:
    assert {
        "quickstart.yaml",
        "small/camvid_unet.yaml",
        "thesis/unet_coco.yaml",
        "small/unet_coco.yaml",
        "papers/unet_isbi.yaml",
        "small/unet_isbi.yaml",
        "papers/segnet_camvid.yaml",
        "small/segnet_camvid.yaml",
        "papers/mask_rcnn_coco.yaml",
        "small/mask_rcnn_coco.yaml",
        "thesis/faster_rcnn_open_images.yaml",
        "thesis/faster_rcnn_transfer.yaml",
        "thesis/yolo_comparison.yaml",
        "small/faster_rcnn_open_images.yaml",
        "small/faster_rcnn_transfer.yaml",
        "small/faster_rcnn_bccd.yaml",
        "small/detectors_bccd.yaml",
        "papers/retinanet_coco.yaml",
        "papers/ssd_voc.yaml",
        "papers/yolov3_coco.yaml",
        "papers/lenet_mnist.yaml",
        "papers/resnet_cifar10.yaml",
        "thesis/hidden_units.yaml",
        "thesis/input_size.yaml",
        "small/transfer_ants_bees.yaml",
        "small/digits.yaml",
    } <= {name_of(file) for file in STUDIES}


def test_study_names_are_unique() -> None:
    names = [load_study(f, environ=NOWHERE, check_data=False).spec.study for f in STUDIES]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("file", STUDIES, ids=name_of)
def test_a_study_is_in_order_on_real_data(file: Path, roots: Mapping[str, str]) -> None:
    load_study(file, environ=roots)


@pytest.mark.parametrize("file", STUDIES, ids=name_of)
def test_a_study_opens_with_what_it_is_for(file: Path) -> None:
    header = [line for line in file.read_text(encoding="utf-8").splitlines() if line[:1] == "#"]

    for word in ("Purpose", "Command", "Time", "Score"):
        assert any(line.startswith(f"# {word} ") for line in header), word
    command = next(line for line in header if line.startswith("# Command"))
    assert f"visionstudy launch studies/library/{name_of(file)}" in command


@pytest.mark.parametrize("file", STUDIES, ids=name_of)
def test_a_study_names_the_schema_and_is_valid_by_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    named = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")

    assert (file.parent / named).resolve() == SCHEMA
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(
        parse_value(text)
    )


def test_the_committed_schema_is_current() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == study_schema_text(), (
        "the study file changed; run: visionstudy schema -o studies/study.schema.json"
    )


def base_cells(spec: StudySpec) -> list[CellSettings]:
    return [for_class(base_settings(spec), name) for name in spec.data.classes]


def stage_configurations(spec: StudySpec, stage: StageSpec) -> Iterator[CellSettings]:
    """Yield what a stage trains or scores when the stages above chose as the thesis did."""
    inherited: dict[str, Any] = {}
    for earlier in spec.search.tree[: spec.search.tree.index(stage)]:
        inherited |= WINNERS[earlier.stage]
    classes = stage.only.get("data.classes", spec.data.classes)
    values = [list_of(stage.vary[path]) for path in stage.vary]
    for name, *chosen in product(classes, *values):
        changes = inherited | stage.with_ | dict(zip(stage.vary, chosen, strict=True))
        yield for_class(with_changes(base_settings(spec), changes), name)


def list_of(values: object) -> list[Any]:
    assert isinstance(values, list)
    return values


def is_cell(protocol: Protocol, settings: CellSettings) -> bool:
    """Say whether a printed row was obtained with these settings."""
    training, data = settings.training, settings.data
    facts: Mapping[str, tuple[object, object]] = {
        "class": (protocol.class_name, data.classes[0]),
        "dataset": (protocol.dataset, data.dataset),
        "image_size": (protocol.image_size, data.image_size),
        "batch_size": (protocol.batch_size, training.batch_size),
        "learning_rate": (protocol.learning_rate, training.learning_rate),
        "optimizer": (protocol.optimizer, training.optimizer),
        "loss": (protocol.loss, training.loss),
        "epochs": (protocol.epochs, training.epochs),
        "train_images": (protocol.train_images, data.limit.train),
        "threshold": (protocol.threshold, settings.evaluation.threshold),
    }
    return all(printed in (None, ours) for printed, ours in facts.values())


@pytest.mark.parametrize(
    ("table", "stage"),
    [
        ("thesis/table-8", "image size"),
        ("thesis/table-9", "batch size"),
        ("thesis/table-10", "learning rate"),
        ("thesis/table-11", "threshold"),
    ],
)
def test_every_row_of_a_thesis_table_is_a_cell_of_its_stage(
    thesis: StudySpec, table: str, stage: str
) -> None:
    spec = next(s for s in thesis.search.tree if s.stage == stage)
    cells = [*stage_configurations(thesis, spec), *base_cells(thesis)]  # 11 repeats Table 7
    rows = load([table])

    assert rows
    assert [row.row for row in rows if not any(is_cell(row.protocol, c) for c in cells)] == []


def test_every_row_of_table_7_is_a_base_cell(thesis: StudySpec) -> None:
    cells = base_cells(thesis)
    rows = load(["thesis/table-7"])

    assert thesis.search.base
    assert {row.protocol.class_name for row in rows} == set(thesis.data.classes)
    assert [row.row for row in rows if not any(is_cell(row.protocol, c) for c in cells)] == []


def test_the_thesis_study_selects_on_test_as_the_thesis_did(thesis: StudySpec) -> None:
    assert thesis.objective.select_on == "test"
    assert thesis.data.split.policy == "random"  # COCO's own test split has no labels


def test_the_thesis_study_in_small_asks_the_same_questions(thesis: StudySpec) -> None:
    file = LIBRARY / "small" / "unet_coco.yaml"
    small = load_study(file, environ=NOWHERE, check_data=False).spec

    def questions(spec: StudySpec) -> list[tuple[object, ...]]:
        tree = spec.search.tree
        return [(s.stage, list(s.vary), s.only, s.with_, s.after_training) for s in tree]

    assert questions(small) == questions(thesis)
    assert (small.data.classes, small.baselines) == (thesis.data.classes, thesis.baselines)
    assert (small.search.base, small.objective) == (thesis.search.base, thesis.objective)
    assert (small.evaluation, small.assembly) == (thesis.evaluation, thesis.assembly)


def test_the_isbi_study_in_small_trains_on_20_slices_and_validates_on_4(real_data: Path) -> None:
    environ = {"ISBI_ROOT": str(real_data / "isbi2012")}
    spec = load_study(LIBRARY / "small" / "unet_isbi.yaml", environ=environ).spec
    source = open_data(spec.data, spec.task, 0, examines=False)

    assert len(source.image_ids("train")) == 20
    assert source.image_ids("val") == ("20", "21", "22", "23")
    assert source.image_ids("test") == ()
