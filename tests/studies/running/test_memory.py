"""Which cells fit on a GPU, and with which micro-batch they start."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.segmentation.settings import UNetSettings
from studies.running import memory, memory_preflight
from studies.running.memory import distinct, find_memory, first_divisor
from studies.running.memory_preflight import check_memory
from studies.running.trial_order import Slot
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings, with_changes
from studies.tree.memory_file import memory_settings, read_memory, write_memory
from trackers.memory_records import COUNTED_FACTOR, MemoryRecord

GPU = Slot(0, "0", "cuda:0 NVIDIA H200", 1)
SCENES = {
    "dataset": "street_scenes", "image_size": 32, "limit": {"train": 8, "val": 4, "test": 4},
}  # fmt: skip


@pytest.fixture
def spec(make_spec: Callable[..., StudySpec]) -> StudySpec:
    """Return a tiny U-Net on generated scenes."""
    stage = {"stage": "batch size", "vary": {"training.batch_size": [2, 8]}}
    network = {"name": "unet", "base_channels": 2, "depth": 1}
    return make_spec(stage, data=SCENES, model=network)


def found(settings: CellSettings, **changes: Any) -> dict[str, Any]:
    fields = {"fixed_mb": 1000.0, "image_mb": 1000.0, "device": "cuda:0", "is_measured": True}
    return {"settings": memory_settings(settings), **fields, **changes}


@pytest.mark.parametrize(
    ("batch_size", "gpu_mb", "divisor"),
    [(8, 9500.0, 1), (8, 9499.0, 2), (8, 3500.0, 4), (5, 4500.0, 2), (1, 2500.0, 1),
     (8, 2499.0, None), (1, 2499.0, None)],
)  # fmt: skip
def test_a_batch_is_halved_until_it_fits(
    batch_size: int, gpu_mb: float, divisor: int | None
) -> None:
    record = MemoryRecord({}, (batch_size,), 1000.0, 1000.0, "cuda:0", is_measured=True)
    assert record.divisor(batch_size, gpu_mb) == divisor


def test_what_was_only_counted_needs_more_room() -> None:
    measured = MemoryRecord({}, (2,), 1000.0, 1000.0, "cuda:0", is_measured=True)
    counted = MemoryRecord({}, (2,), 1000.0, 1000.0, "cpu", is_measured=False)
    assert counted.need_mb(2) - measured.need_mb(2) == pytest.approx(3000 * (COUNTED_FACTOR - 1))


def test_only_what_changes_the_memory_tells_cells_apart(spec: StudySpec) -> None:
    base = base_settings(spec)
    same = [
        with_changes(base, {"training.batch_size": 8}),
        with_changes(base, {"training.learning_rate": 0.5}),
        with_changes(base, {"evaluation.threshold": 0.3}),
    ]
    other = [
        with_changes(base, {"data.image_size": 64}),
        with_changes(base, {"model.base_channels": 4}),
        with_changes(base, {"training.optimizer": "sgd"}),
    ]
    assert len(distinct([base, *same])) == 1
    assert len(distinct([base, *other])) == 4
    assert isinstance(base.model, UNetSettings)


def test_scripted_models_take_no_memory(make_spec: Callable[..., StudySpec]) -> None:
    stage = {"stage": "rate", "vary": {"training.learning_rate": [0.1]}}
    assert distinct([base_settings(make_spec(stage))]) == {}


@pytest.mark.slow
def test_memory_is_found_by_steps_in_another_process_and_kept(
    spec: StudySpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = base_settings(spec)
    larger = with_changes(base, {"data.image_size": 64, "training.batch_size": 8})
    records, problems = find_memory(spec.task, [base, larger], tmp_path)
    assert problems == []
    small, large = records
    assert (small.batch_sizes, large.batch_sizes) == ((2,), (8,))
    assert large.image_mb == pytest.approx(4 * small.image_mb, rel=0.1)
    assert large.fixed_mb < 1
    assert small.is_measured is False
    monkeypatch.setattr("studies.running.memory.run_module", None)  # nothing is left to find
    assert find_memory(spec.task, [base, larger], tmp_path) == (records, [])


def test_a_probe_that_fails_says_why(
    spec: StudySpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studies.running.module_process.sys.executable", "/bin/false")
    records, problems = find_memory(spec.task, [base_settings(spec)], tmp_path)
    assert records == []
    assert problems == ["the memory probe ended: exit code 1"]
    assert read_memory(tmp_path) == {}


def test_a_first_trial_starts_with_the_micro_batch_that_fits(
    spec: StudySpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = with_changes(base_settings(spec), {"training.batch_size": 8})
    monkeypatch.setattr(memory, "gpu_mb", lambda gpu: None if gpu is None else 5000.0)
    assert first_divisor(tmp_path, cell, GPU) == 1, "nothing is known"
    write_memory(tmp_path, [found(cell)])
    assert first_divisor(tmp_path, cell, GPU) == 4
    assert first_divisor(tmp_path, cell, Slot(0, "0", "cuda:0", 1, share=0.4)) == 8, "none fits"
    assert first_divisor(tmp_path, cell, Slot(0, None, "cpu", 1)) == 1
    assert first_divisor(tmp_path, cell, Slot(0, "0", "cuda:0", 1, host="elsewhere")) == 1


def test_a_torn_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "memory.json").write_text('{"steps": [{"set')
    assert read_memory(tmp_path) == {}


class Saying:
    """A view that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    def update(self, snapshot: object) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing is open."""


def test_a_launch_says_before_it_starts_what_does_not_fit(
    spec: StudySpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = base_settings(spec)
    cells = [with_changes(base, {"training.batch_size": size}) for size in (2, 8)]
    large = with_changes(base, {"data.image_size": 64})
    write_memory(tmp_path, [found(base), found(large, fixed_mb=20_480.0)])
    for module in (memory, memory_preflight):
        monkeypatch.setattr(module, "gpu_mb", lambda _: 6144.0)
    view = Saying()
    check_memory(spec, tmp_path, view, planned=lambda: [*cells, large])
    assert view.said == [
        "finding which cells fit on the GPU ...",
        "data.image_size 32: batch 8 is cut into micro-batches to fit on the GPU",
        "data.image_size 64: does not fit on the GPU, a single image takes 21.5 of 6.0 GB",
    ]


def test_a_launch_without_a_gpu_looks_at_nothing(spec: StudySpec, tmp_path: Path) -> None:
    view = Saying()
    check_memory(spec, tmp_path, view, planned=lambda: pytest.fail("must not be planned"))
    assert view.said == []
