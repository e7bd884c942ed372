"""The catalog is light, and complete."""

import subprocess
import sys
from pathlib import Path

import pytest

from data_pipeline.catalog import DATASETS, check_data, data_fingerprint, label_names, resolve
from data_pipeline.datasets.settings.generated import NoData
from data_pipeline.errors import unknown_name


@pytest.mark.parametrize("name", DATASETS)
def test_every_entry_names_functions_that_exist(name: str) -> None:
    entry = DATASETS[name]
    for place in (entry.check, entry.class_names, entry.label_names, entry.fingerprint):
        assert callable(resolve(place))
    assert callable(resolve(entry.builder))


@pytest.mark.parametrize("name", DATASETS)
def test_every_entry_is_found_by_the_name_in_its_settings(name: str) -> None:
    assert DATASETS[name].settings.model_fields["dataset"].default == name


@pytest.mark.parametrize("name", DATASETS)
def test_every_field_says_what_it_means(name: str) -> None:
    fields = DATASETS[name].settings.model_fields
    assert all(field.description for field in fields.values())


def loaded_after(code: str) -> set[str]:
    """Return the names of the modules a fresh interpreter holds after the code."""
    script = f"{code}\nimport sys; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return set(run.stdout.split())


def test_importing_the_catalog_loads_neither_torch_nor_opencv_nor_pycocotools() -> None:
    loaded = loaded_after("import data_pipeline.catalog")
    assert not loaded & {"torch", "cv2", "pycocotools"}


def test_checking_and_hashing_load_no_torch() -> None:
    code = (
        "import contextlib\n"
        "from data_pipeline.errors import DataError\n"
        "from data_pipeline.catalog import DATASETS, check_data, data_fingerprint, label_names\n"
        "for entry in DATASETS.values():\n"
        "    root = {'root': '.'} if 'root' in entry.settings.model_fields else {}\n"
        "    settings = entry.settings(**root)\n"
        "    check_data(settings)\n"
        "    with contextlib.suppress(DataError):  # nothing is there\n"
        "        data_fingerprint(settings)\n"
    )
    loaded = loaded_after(code)
    assert "cv2" in loaded  # the readers were loaded
    assert "torch" not in loaded


def test_no_data_is_always_ready_and_the_same() -> None:
    settings = NoData(classes=["a"])
    assert check_data(settings) == []
    assert data_fingerprint(settings) == data_fingerprint(NoData())
    assert label_names(settings, "semantic_segmentation") == ("a",)


def test_unknown_name_says_what_was_meant_and_what_there_is() -> None:
    assert unknown_name("class", "buss", ["car", "bus"]) == (
        "unknown class 'buss'; did you mean 'bus'? (2 there are: car, bus)"
    )
    many = [f"c{number}" for number in range(80)]
    assert unknown_name("class", "xyz", many).endswith("c10, c11, …)")
