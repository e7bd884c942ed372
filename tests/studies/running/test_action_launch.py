"""A study of actions from the file to the report."""

import json
from typing import Any

import pytest

from data_pipeline.settings import DataSettings
from studies.running.forecast import TimedBatch, estimate_s
from studies.spec.schema import StudySpec
from studies.tree.growth import grow

CLIP = {"frames": 4, "stride": 2, "views": 2}
STUDY: dict[str, Any] = {
    "study": "actions",
    "task": "action_recognition",
    "data": {
        "dataset": "street_actions",
        "classes": ["CarPassing", "PersonWaving", "LightTurnsRed"],
        "groups": 3,
        "videos_per_group": 1,
        "video_frames": 8,
        "video_width": 64,
        "video_height": 64,
        "image_size": 32,
        "clip": CLIP,
        "workers": 0,
    },
    "model": {
        "name": "slowfast",
        "depth": 14,
        "width": 8,
        "slow_frames": 2,
        "slow_stride": 2,
        "alpha": 2,
    },
    "training": {"epochs": 1, "batch_size": 3},
    "objective": {"metric": "val/top1", "direction": "maximize"},
    "search": {"tree": [{"stage": "learning rate", "vary": {"training.learning_rate": [1e-3]}}]},
}


@pytest.mark.slow
def test_study_of_actions_is_launched_and_reported(workshop: Any) -> None:
    shop = workshop(STUDY)
    shop.launch()
    (cell,) = shop.record().cells.values()
    assert {"val/top1", "val/clip_top1", "val/class_recall"} <= set(cell.epochs[-1].metrics)
    (folder,) = shop.trial_folders()
    scores = json.loads((folder / "class_scores_val.json").read_text())
    assert scores["clips_per_video"] == [2]
    uploaded = {file.name for file in (shop.runs / "artifacts").rglob("*") if file.is_file()}
    assert {"val.npz", "confusion_val.json", "class_scores_val.json", "strip.png"} <= uploaded
    (page,) = shop.runs.glob("studies/actions/**/*.html")
    assert "PersonWaving" in page.read_text(encoding="utf-8")


TIMED = TimedBatch(
    device="cpu",
    seconds=2.0,
    images=4,
    image_size=32,
    train_images=90,
    val_images=60,  # 30 videos of two clips
    weights_bytes=10,
    checkpoint_bytes=100,
    frames=4,
    scored=2,
)


def estimated_s(clip: dict[str, int], limit: dict[str, int]) -> float:
    data = {**STUDY["data"], "clip": clip, "limit": limit}

    def fingerprint(settings: DataSettings) -> str:
        return settings.dataset

    spec = StudySpec.model_validate({**STUDY, "data": data})
    (cell,) = grow(spec, {}, data_fingerprint=fingerprint).cells().values()
    seconds = estimate_s(cell, TIMED)
    assert seconds is not None
    return seconds


@pytest.mark.parametrize(
    ("clip", "limit", "expected"),
    [
        (CLIP, {}, 0.5 * (90 + 60 / 3)),
        (CLIP | {"frames": 8}, {}, 2 * 0.5 * (90 + 60 / 3)),
        (CLIP | {"views": 6}, {}, 0.5 * (90 + 180 / 3)),
        (CLIP | {"crops": 3}, {"val": 10}, 0.5 * (90 + 60 / 3)),
    ],
)
def test_time_of_a_study_goes_with_frames_and_scored_clips(
    clip: dict[str, int], limit: dict[str, int], expected: float
) -> None:
    assert estimated_s(clip, limit) == pytest.approx(expected)
