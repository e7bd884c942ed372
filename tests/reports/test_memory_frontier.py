"""The largest batch that fits, predicted, and what trials met."""

from dataclasses import replace

import pytest

from reports.figures.memory_frontier import (
    MOST_IMAGES,
    frontier_figure,
    frontier_summary,
    frontiers,
    most_images,
)
from reports.page import render
from trackers.memory_records import GPU_SIZES_GB, MIB_PER_GB, MemoryRecord
from trackers.records import Outcome, StudyRecord

SMALL = MemoryRecord({"data.image_size": 64}, (4, 8), 300.0, 120.0, "cuda:0 V100", True)
LARGE = MemoryRecord({"data.image_size": 128}, (4, 8), 300.0, 480.0, "cuda:0 V100", True)


@pytest.mark.parametrize("gpu_gb", GPU_SIZES_GB)
@pytest.mark.parametrize("is_measured", [True, False])
def test_the_limit_is_the_last_batch_that_fits(gpu_gb: int, is_measured: bool) -> None:
    record = replace(LARGE, is_measured=is_measured)
    found = most_images(record, gpu_gb * MIB_PER_GB)
    assert record.need_mb(found) <= gpu_gb * MIB_PER_GB < record.need_mb(found + 1)


def test_one_image_too_large_and_images_without_weight_are_limits_too() -> None:
    assert most_images(replace(LARGE, fixed_mb=9000.0), 6 * MIB_PER_GB) == 0
    assert most_images(replace(LARGE, image_mb=0.0), 6 * MIB_PER_GB) == MOST_IMAGES


def test_a_line_per_gpu_runs_over_image_sizes(study: StudyRecord) -> None:
    (frontier,) = frontiers(replace(study, memory=(LARGE, SMALL)))
    assert tuple(frontier.limits) == GPU_SIZES_GB
    assert [limit.x for limit in frontier.limits[8]] == [64.0, 128.0]
    assert frontier.limits[8][0].images == most_images(SMALL, 8 * MIB_PER_GB)
    figure = frontier_figure(frontier)
    assert [trace.name for trace in figure.data] == [f"{size} GB" for size in GPU_SIZES_GB]
    assert "No trial on a GPU confirms them" in frontier_summary(frontier)


def test_each_network_has_its_own_lines(study: StudyRecord) -> None:
    def of(name: str, record: MemoryRecord) -> MemoryRecord:
        return replace(record, settings={**record.settings, "model.name": name})

    memory = (of("unet", SMALL), of("unet", LARGE), of("fcn", SMALL))
    found = frontiers(replace(study, memory=memory))
    assert [each.label for each in found] == ["model unet", "model fcn"]


def test_settings_that_differ_in_something_else_stand_side_by_side(study: StudyRecord) -> None:
    half = replace(SMALL, settings={"data.image_size": 64, "training.precision": "16-mixed"})
    full = replace(SMALL, settings={"data.image_size": 64, "training.precision": "32-true"})
    (frontier,) = frontiers(replace(study, memory=(full, half)))
    assert [limit.x for limit in frontier.limits[6]] == ["16-mixed", "32-true"]
    assert frontier_figure(frontier).layout.xaxis.type == "category"


def test_trials_on_a_gpu_are_marked_by_what_they_met(study: StudyRecord) -> None:
    cells = dict(study.cells)
    cell = cells["ba-8-0"]
    ran = replace(
        cell.trials[0],
        device="cuda:0 NVIDIA V100",
        outcome=Outcome.INFEASIBLE,
        reason="out of memory at micro-batch 8; again with 4",
    )
    held = replace(ran, reason="", outcome=Outcome.COMPLETE, effective={"micro_batch": 4})
    on_cpu = replace(held, device="cpu")
    cells["ba-8-0"] = replace(cell, trials=(ran, held, on_cpu))
    (frontier,) = frontiers(replace(study, cells=cells, memory=(SMALL, LARGE)))
    assert [(met.x, met.images, met.fits) for met in frontier.met] == [
        (64.0, 4, True),
        (64.0, 8, False),
    ]
    assert "1 trial that a GPU held, 1 out of memory" in frontier_summary(frontier)
    names = [trace.name for trace in frontier_figure(frontier).data]
    assert names[-2:] == ["held", "out of memory"]


def test_nobody_looked_is_no_frontier(study: StudyRecord) -> None:
    assert frontiers(study) == ()
    page = render(replace(study, memory=(SMALL, LARGE)), generated_at="1 January 2026")
    assert 'id="memory-1"' in page
