"""Videos: as many frames out as in, whatever happens meanwhile, in constant memory."""

import csv
import json
import os
import signal
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_pipeline.video.reading import probe
from data_pipeline.video.streaming import streamed
from data_pipeline.video.writing import write_video
from models.tracking.settings import DeepSortSettings, SortSettings
from studies.predicting.choosing import ChosenRun
from studies.predicting.earlier_record import OtherPredictionsError
from studies.predicting.interruption import stop_wishes
from studies.predicting.predicting import UnusableWishError
from studies.predicting.video_files import NoVideoError
from studies.predicting.video_objects import Boxes
from studies.predicting.video_wishes import Cast, VideoWishes
from studies.predicting.videos import Hooks, PredictedVideo, predict_videos
from studies.predicting.wishes import Wishes

CPU = torch.device("cpu")
HEIGHT, WIDTH, RATE = 48, 64, 25
H264 = "kinetics_mini/abseiling_k400.mp4"
XVID = "ucf101_mini/UCF-101/Punch/v_Punch_g03_c01.avi"
Runs = Callable[[str], ChosenRun]
Predict = Callable[..., PredictedVideo]
SURE = Wishes(least_score=0.01)  # weights of chance are sure of nothing


def video(folder: Path, count: int, name: str = "a.avi") -> Path:
    """Write a video in which a bright square moves to the right."""

    def drawn(number: int) -> np.ndarray:
        pixels = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        left = number % (WIDTH - 16)
        pixels[16:32, left : left + 16] = (220, 180, 40)
        return pixels

    write_video(folder / name, map(drawn, range(count)), size_hw=(HEIGHT, WIDTH), rate=RATE)
    return folder / name


@pytest.fixture
def predicted(untrained: Runs, tmp_path: Path) -> Predict:
    """Return a function that predicts a video into `tmp_path / "out"`; by a detector alone."""

    def run(
        file: Path,
        *tasks: str,
        hooks: Hooks | None = None,
        plain: Wishes = SURE,
        **wishes: Any,
    ) -> PredictedVideo:
        by_task = {task: untrained(task) for task in tasks or ("object_detection",)}
        cast = Cast(by_task.get("object_detection"), by_task.get("action_recognition"))
        hooks = hooks or Hooks(lambda *_: None)
        [done] = predict_videos(
            cast,
            [str(file)],
            tmp_path / "out",
            wishes=VideoWishes(plain, **wishes),
            device=CPU,
            hooks=hooks,
        )
        return done

    return run


def count(file: Path) -> int:
    with streamed(file) as frames:
        return sum(1 for _ in frames)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.usefixtures("of_the_square")
def test_a_video_has_as_many_frames_afterwards_at_the_same_rate(
    predicted: Predict, tmp_path: Path
) -> None:
    file = video(tmp_path, 240)
    told: list[tuple[int, int]] = []
    done = predicted(
        file,
        "object_detection",
        "action_recognition",
        hooks=Hooks(lambda *numbers: told.append(numbers)),
        every=40,
        action_stride=60,
    )
    out = tmp_path / "out" / "a"
    facts = probe(out / "video.mp4")
    assert (facts.frames, facts.frames_per_second, facts.size_hw) == (240, RATE, (HEIGHT, WIDTH))
    assert count(out / "video.mp4") == 240
    assert told == [(number, 240) for number in range(1, 241)]
    record = json.loads((out / "prediction.json").read_text())
    assert record["frames"] == 240
    assert record["note"] is None
    assert {file.name for file in out.iterdir()} == {*record["files"].values(), "prediction.json"}
    assert done.note is None


def test_boxes_are_found_every_so_many_frames_and_held_in_between(
    predicted: Predict, tmp_path: Path
) -> None:
    predicted(video(tmp_path, 20), every=8)
    table = rows(tmp_path / "out" / "a" / "objects.csv")
    ages = {int(row["frame"]): int(row["age_frames"]) for row in table}
    assert ages == {number: number % 8 for number in range(20)}
    boxes = {
        number: [
            (row["left"], row["top"], row["score"]) for row in table if row["frame"] == number
        ]
        for number in ("0", "7", "8")
    }
    assert boxes["0"] == boxes["7"] != boxes["8"]
    assert {row["track"] for row in table} == {""}


@pytest.fixture
def of_the_square(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the detector find the square, as one with trained weights would."""

    def found(self: object, number: int, pixels: np.ndarray) -> Boxes:  # noqa: ARG001
        left = number % (WIDTH - 16)
        box = np.array([[left, 16, left + 16, 32]], np.float64)
        return Boxes(box, np.array([0.9]), np.array([1]))

    monkeypatch.setattr("studies.predicting.videos.NetworkDetector.__call__", found)


@pytest.mark.usefixtures("of_the_square")
@pytest.mark.parametrize("settings", [SortSettings(), DeepSortSettings()])
def test_a_tracked_object_keeps_its_number(
    predicted: Predict, tmp_path: Path, settings: SortSettings | DeepSortSettings
) -> None:
    predicted(video(tmp_path, 20), tracker=settings)
    table = rows(tmp_path / "out" / "a" / "objects.csv")
    assert {(row["track"], row["class"]) for row in table} == {("1", "car")}
    assert len(table) >= 17
    last = table[-1]
    assert [float(last[side]) for side in ("left", "right")] == pytest.approx([19, 35], abs=2)
    lines = (tmp_path / "out" / "a" / "tracks.txt").read_text().splitlines()
    frame, track, left, top, width, height, *_ = (float(each) for each in lines[-1].split(","))
    assert (frame, track) == (20, 1)  # frames and pixels of the format count from 1
    assert (left, top) == pytest.approx((20, 17), abs=2)
    assert (width, height) == pytest.approx((16, 16), abs=2)


@pytest.mark.usefixtures("of_the_square")
def test_memory_is_the_same_for_a_video_ten_times_as_long(
    predicted: Predict, tmp_path: Path
) -> None:
    def peak(length: int) -> int:
        file = video(tmp_path, length, f"{length}.avi")
        tracemalloc.start()
        predicted(
            file,
            "object_detection",
            "action_recognition",
            action_stride=120,
            tracker=SortSettings(),
        )
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(20)  # what is loaded once
    assert peak(300) < peak(30) + 300_000  # bytes; 300 frames have 2,764,800


def test_ctrl_c_leaves_a_video_that_plays_and_says_how_far_it_is(
    predicted: Predict, tmp_path: Path
) -> None:
    def interrupt(done: int, _: int) -> None:
        if done == 13:
            os.kill(os.getpid(), signal.SIGINT)

    file = video(tmp_path, 50)
    with stop_wishes() as is_stopped:
        done = predicted(file, hooks=Hooks(interrupt, is_stopped))
    assert done.record is not None
    assert done.record.was_stopped
    assert done.note == "stopped after frame 12"
    assert count(tmp_path / "out" / "a" / "video.mp4") == 13
    again = predicted(file)
    assert again.record is not None
    assert not again.was_done
    assert again.record.frames == count(tmp_path / "out" / "a" / "video.mp4") == 50


@pytest.fixture
def _usual_ctrl_c() -> Iterator[None]:
    """Have Ctrl-C raise, as in a terminal; what runs in the background may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_usual_ctrl_c")
def test_the_second_ctrl_c_ends_it_at_once() -> None:
    def twice() -> None:
        with stop_wishes() as is_stopped:
            os.kill(os.getpid(), signal.SIGINT)
            assert is_stopped()
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        twice()


def test_a_video_that_ends_too_early_keeps_what_it_holds(
    predicted: Predict, real_data: Path, tmp_path: Path
) -> None:
    whole, cut = real_data / XVID, tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    done = predicted(cut, every=500)
    assert done.record is not None
    assert 30 < done.record.frames < 80  # of 108
    assert done.note is not None
    assert "the file ends too early; what was decoded before is kept" in done.note
    assert count(tmp_path / "out" / "cut" / "video.mp4") == done.record.frames


def test_what_is_no_video_is_left_out_with_the_reason(predicted: Predict, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    done = predicted(broken)
    assert done.record is None
    assert done.note is not None
    assert "it is damaged or no video" in done.note
    assert not (tmp_path / "out" / "broken").exists()


def test_what_is_done_is_not_done_again_but_by_other_settings(
    predicted: Predict, tmp_path: Path
) -> None:
    file = video(tmp_path, 12)
    assert not predicted(file).was_done
    assert predicted(file).was_done
    with pytest.raises(OtherPredictionsError, match="replace them by --overwrite"):
        predicted(file, every=3)
    done = predicted(file, every=3, plain=replace(SURE, overwrite=True))
    assert not done.was_done
    assert {row["age_frames"] for row in rows(tmp_path / "out" / "a" / "objects.csv")} == {
        "0",
        "1",
        "2",
    }


@pytest.mark.usefixtures("of_the_square")
def test_a_real_video_keeps_its_times(predicted: Predict, real_data: Path, tmp_path: Path) -> None:
    hooks = Hooks(lambda *_: None, is_stopped=iter([False] * 40 + [True]).__next__)
    predicted(real_data / H264, hooks=hooks)
    with streamed(real_data / H264) as frames:
        times = [frame.time_s for frame, _ in zip(frames, range(40), strict=False)]
    with streamed(tmp_path / "out" / "abseiling_k400" / "video.mp4") as frames:
        assert [frame.time_s for frame in frames] == times


@pytest.mark.parametrize(
    ("tasks", "wishes", "words"),
    [
        (("action_recognition",), {"every": 3}, "--every has no effect on a study of actions"),
        (("action_recognition",), {}, "--least-score has no effect on a study of actions"),
        (("object_detection",), {"action_stride": 3}, "--action-stride has no effect without"),
        (
            ("object_detection",),
            {"plain": Wishes(threshold=0.3)},
            "--threshold has no effect on videos",
        ),
        (
            ("object_detection",),
            {"plain": Wishes(classes=("persn",))},
            "unknown class of run 'object_detection' 'persn'; did you mean 'person'",
        ),
    ],
)
def test_a_wish_without_effect_is_refused(
    predicted: Predict, tmp_path: Path, tasks: tuple[str, ...], wishes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UnusableWishError, match=words):
        predicted(video(tmp_path, 3), *tasks, **wishes)


def test_a_video_is_not_overwritten_by_its_prediction(predicted: Predict, tmp_path: Path) -> None:
    place = tmp_path / "out" / "video"
    place.mkdir(parents=True)
    file = video(place, 3, "video.avi").rename(place / "video.mp4")
    with pytest.raises(NoVideoError, match="must not be overwritten by what is drawn over it"):
        predicted(file)


def test_a_video_that_is_not_there_is_said(predicted: Predict, tmp_path: Path) -> None:
    video(tmp_path, 3, "street.avi")
    with pytest.raises(NoVideoError, match=r"did you mean '.*street\.avi'"):
        predicted(tmp_path / "stret.avi")
