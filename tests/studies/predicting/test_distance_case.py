"""The distance case: people of a scene that a known camera saw, through all of the prediction."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from data_pipeline.video.streaming import streamed
from data_pipeline.video.writing import write_video
from studies.predicting.choosing import ChosenRun
from studies.predicting.ground_plane import Calibration
from studies.predicting.video_files import VideoFile
from studies.predicting.video_objects import Boxes
from studies.predicting.video_wishes import Cast, VideoWishes
from studies.predicting.videos import Hooks, open_eyes, predict_video

HEIGHT, WIDTH, FOCAL = 360, 480, 500.0  # pixels
CAMERA_M, TILT = 5.0, 0.4  # above the ground; radians downwards
RATE, FRAMES = 10, 60
CORNERS = np.array([[-3, 8], [3, 8], [3, 16], [-3, 16]], np.float64)  # metres, of a marked square
TALL_M, BROAD_M = 1.75, 0.5


def seen(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project (n, 3) points, x right, y away, z up, to (n, 2) pixels."""
    x, y, z = points_m.T
    below = CAMERA_M - z
    depth = y * np.cos(TILT) + below * np.sin(TILT)
    down = below * np.cos(TILT) - y * np.sin(TILT)
    return np.column_stack([WIDTH / 2 + FOCAL * x / depth, HEIGHT / 2 + FOCAL * down / depth])


def places(frame: int) -> NDArray[np.float64]:
    """Return where the three people are: two meet and part, one stands apart; (3, 2) metres."""
    share = frame / (FRAMES - 1)
    apart = 0.6 + 6 * abs(share - 0.5)  # metres
    return np.array([[-apart / 2, 11.0], [apart / 2, 11.0], [2.0, 15.5]])


def boxes(frame: int) -> NDArray[np.float64]:
    """Return the boxes of the people, (3, 4) xyxy pixels."""
    feet = places(frame)
    half = np.array([BROAD_M / 2, 0])
    left, right = (
        seen(np.column_stack([side, np.zeros(3)])) for side in (feet - half, feet + half)
    )
    heads = seen(np.column_stack([feet, np.full(3, TALL_M)]))
    return np.column_stack([left[:, 0], heads[:, 1], right[:, 0], left[:, 1]])


def found(number: int, pixels: NDArray[np.uint8]) -> Boxes:  # noqa: ARG001
    """Find the people as a perfect detector would."""
    return Boxes(boxes(number), np.full(3, 0.9), np.zeros(3, np.int64))


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Write the video: a street, a marked rectangle, people as coloured shapes."""

    def drawn(frame: int) -> NDArray[np.uint8]:
        pixels = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
        corners = seen(np.column_stack([CORNERS, np.zeros(4)])).round().astype(np.int32)
        cv2.polylines(pixels, [corners], isClosed=True, color=(240, 240, 240), thickness=2)
        for left, top, right, bottom in boxes(frame).round().astype(int):
            cv2.rectangle(pixels, (left, top), (right, bottom), (40, 60, 160), cv2.FILLED)
        return pixels

    file = tmp_path / "street.avi"
    write_video(file, map(drawn, range(FRAMES)), size_hw=(HEIGHT, WIDTH), rate=RATE)
    return file


def calibration(limit_m: float = 2.0) -> Calibration:
    points = seen(np.column_stack([CORNERS, np.zeros(4)]))
    return Calibration.model_validate(
        {
            "points": points.tolist(),
            "rectangle": {"width_m": 6.0, "length_m": 8.0},
            "limit_m": limit_m,
        }
    )


@pytest.fixture
def predicted(
    scene: Path, untrained: Callable[[str], ChosenRun], tmp_path: Path
) -> Callable[[float], Path]:
    """Return a function that predicts the scene with a limit; returns the video's folder."""

    def run(limit_m: float) -> Path:
        wishes = VideoWishes(calibration=calibration(limit_m))
        eyes = open_eyes(Cast(objects=untrained("object_detection")), wishes, torch.device("cpu"))
        video = VideoFile(scene, tmp_path / "out" / "street")
        predict_video(
            video,
            replace(eyes, detect=found),
            wishes=wishes,
            hooks=Hooks(progress=lambda *_: None),
        )
        return video.folder

    return run


def table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_distances_are_true_within_five_per_cent(predicted: Callable[[float], Path]) -> None:
    rows = table(predicted(2.0) / "objects.csv")
    by_frame: dict[int, dict[int, tuple[float, float]]] = {}
    for row in rows:
        place = (float(row["ground_x_m"]), float(row["ground_y_m"]))
        by_frame.setdefault(int(row["frame"]), {})[int(row["track"])] = place
    ratios = []
    for frame, people in by_frame.items():
        true = places(frame)
        for a, b in ((1, 2), (1, 3), (2, 3)):
            if {a, b} <= people.keys():
                measured = np.hypot(*np.subtract(people[a], people[b]))
                ratios.append(measured / np.hypot(*(true[a - 1] - true[b - 1])))
    assert len(ratios) > 2.5 * FRAMES
    assert np.abs(np.array(ratios) - 1).max() < 0.05


def test_an_event_has_its_time_its_people_and_its_least_distance(
    predicted: Callable[[float], Path],
) -> None:
    folder = predicted(2.0)
    [event] = table(folder / "distances.csv")
    near = [
        frame for frame in range(FRAMES) if np.hypot(*(places(frame)[0] - places(frame)[1])) < 2.0
    ]
    least = min(np.hypot(*(places(frame)[0] - places(frame)[1])) for frame in near)
    assert (event["first_track"], event["second_track"]) == ("1", "2")
    assert abs(int(event["start_frame"]) - near[0]) <= 2
    assert abs(int(event["end_frame"]) - near[-1]) <= 2
    assert float(event["start_s"]) == pytest.approx(int(event["start_frame"]) / RATE)
    assert float(event["least_distance_m"]) == pytest.approx(least, rel=0.05)
    record = json.loads((folder / "prediction.json").read_text())
    assert record["found"]["distances"]["events"] == 1
    assert record["found"]["objects"] == {"boxes": {"person": 180}, "tracks": {"person": 3}}


def test_a_violation_is_red_in_the_picture_and_only_while_it_lasts(
    predicted: Callable[[float], Path],
) -> None:
    with streamed(predicted(2.0) / "video.mp4") as frames:
        pictures = [frame.pixels() for frame in frames]
    assert len(pictures) == FRAMES
    middle = FRAMES // 2
    first, second = boxes(middle)[:2]
    between = (round((first[2] + second[0]) / 2), round(first[3]))  # on the line at their feet
    red, green, _ = pictures[middle][between[1], between[0]].astype(int)
    assert red - green > 60
    red, green, _ = pictures[2][between[1], between[0]].astype(int)
    assert abs(red - green) < 30


def test_nobody_is_too_near_below_a_small_limit(predicted: Callable[[float], Path]) -> None:
    folder = predicted(0.3)
    assert table(folder / "distances.csv") == []
    record = json.loads((folder / "prediction.json").read_text())
    assert record["found"]["distances"] == {
        "limit_m": 0.3,
        "events": 0,
        "least_distance_m": None,
    }
