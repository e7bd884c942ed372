"""How fast pictures and clips come, by the usual libraries and by ours, cold and warm.

    python benchmarks/data.py [--data DIR] [--csv FILE] [--seconds S]

DIR holds `coco_mini` and `ucf101_mini`; without it pictures and videos are drawn. Every method
has the same files and makes the same thing: a square of uint8 RGB, shrunk with a filter that
averages, or 64 frames of the middle of a video, shorter side 128, the square of 112 in the
middle. Methods take turns, pass by pass, so that what else the machine does hits all of them;
medians of passes are shown. Exits with 1 when a promise is not kept.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import cast

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg, read_file  # type: ignore[import-untyped]
from torchvision.transforms.v2 import functional  # type: ignore[import-untyped]

from data_pipeline.cache.sample_cache import SampleCache
from data_pipeline.catalog import DATASETS, resolve
from data_pipeline.datasets.dataset import Item, VideoItem
from data_pipeline.datasets.settings.generated import StreetActionsData
from data_pipeline.datasets.settings.pictures import ImageFolderData
from data_pipeline.datasets.settings.videos import UCF101Data, VideoFields
from data_pipeline.loading.decoding import ImageDecoder, VideoDecoder
from data_pipeline.loading.loaders import Delivery, EpochLoader, Shuffle
from data_pipeline.loading.prepared import ImageSplit, PreparedSplit
from data_pipeline.loading.prepared_videos import VideoSplit
from data_pipeline.scenes.composition import draw_scene
from data_pipeline.video.clips import clip_indices, cut_square, view_corners

SIZES = (128, 256, 600)
PICTURES, BATCH = 96, 32
FRAMES, SIDE, SHORTER_SIDE = 64, 112, 128
# Three streets of seven actions: 7 videos for training, of the size and length of UCF101's.
LIKE_UCF101 = {
    "groups": 3,
    "videos_per_group": 1,
    "video_frames": 180,
    "video_width": 320,
    "video_height": 240,
}
PACKAGES = ("torch", "torchvision", "opencv-python-headless", "av", "pillow", "numpy")
TRIAL = """
import json, sys, time
from pathlib import Path
times = {}
def lap(name):
    times[name] = time.perf_counter() - sum(times.values()) - begun
begun = time.perf_counter()
import torch
lap("import torch")
from data_pipeline.datasets.settings.pictures import ImageFolderData
from data_pipeline.source import open_data
lap("import data_pipeline")
settings = ImageFolderData(root=Path(sys.argv[1]), image_size=256)
next(open_data(settings, "image_classification", 0).training(int(sys.argv[2])).epoch(1))
lap("first batch")
print(json.dumps(times))
"""
Frames = NDArray[np.uint8]
Pass = Callable[[], int]  # does the work once; returns how many pictures or clips that were


@dataclass(frozen=True, slots=True)
class Timing:
    """How fast a method was."""

    what: str  # "256 px" or "clips"
    method: str
    per_second: float  # median over passes
    passes: int


def measured(what: str, methods: Mapping[str, Pass], seconds: float) -> list[Timing]:
    """Run methods in turns for so many seconds each; one pass before that does not count."""
    rates: dict[str, list[float]] = {name: [] for name in methods}
    for run in methods.values():
        run()
    until = time.perf_counter() + seconds * len(methods)
    while time.perf_counter() < until or len(next(iter(rates.values()))) < 3:
        for name, run in methods.items():
            started = time.perf_counter()
            count = run()
            rates[name].append(count / (time.perf_counter() - started))
    return [Timing(what, name, median(each), len(each)) for name, each in rates.items()]


def picture_methods(folder: Path, size: int, cache: Path) -> dict[str, Pass]:
    """Return what turns the JPEG files of an image folder into squares."""
    files = sorted(folder.rglob("*.jpg"))
    settings = ImageFolderData(root=folder, image_size=size)
    dataset = resolve(DATASETS["image_folder"].builder)(settings, "image_classification", "train")
    decoder = ImageDecoder(cast("tuple[Item, ...]", dataset.items), "stretch", size)
    kept = SampleCache(cache / f"{size}", decoder, is_bounded=False)
    # Processes need an epoch of some length: at its start they have nothing ready.
    longer = ImageSplit(ImageDecoder(decoder.items * 4, "stretch", size))
    return {
        "PIL": lambda: over(files, lambda file: with_pil(file, size)),
        "OpenCV": lambda: over(files, lambda file: with_opencv(file, size)),
        "torchvision": lambda: over(files, lambda file: with_torchvision(file, size)),
        "ours, cold": lambda: over(range(len(files)), decoder.decode),
        "ours, cold, 1 worker": epochs(longer, workers=1),
        "ours, cold, 2 workers": epochs(longer, workers=2),
        "ours, warm": epochs(ImageSplit(decoder, kept), repeats=8),
    }


def with_pil(file: Path, size: int) -> object:
    """Decode and resize by Pillow; its bilinear filter widens when shrinking."""
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


def with_opencv(file: Path, size: int) -> object:
    """Decode and resize by OpenCV, by area where that shrinks, as ours does."""
    pixels = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise OSError(f"OpenCV cannot read {file}")
    method = cv2.INTER_AREA if min(pixels.shape[:2]) >= size else cv2.INTER_LINEAR
    return cv2.resize(pixels, (size, size), interpolation=method)


def with_torchvision(file: Path, size: int) -> object:
    """Decode and resize by torchvision, bilinear with antialiasing."""
    pixels = decode_jpeg(read_file(str(file)), mode=ImageReadMode.RGB)
    return functional.resize(pixels, [size, size], antialias=True)


def over(things: Sequence[object], work: Callable[..., object]) -> int:
    """Do the work on each; return how many there were."""
    for thing in things:
        work(thing)
    return len(things)


def epochs(split: PreparedSplit, *, workers: int = 0, repeats: int = 1) -> Pass:
    """Return what loads shuffled uint8 batches of a split, epoch after epoch."""
    loader = EpochLoader(split, BATCH, shuffle=Shuffle(0), delivery=Delivery(workers))
    number = 0

    def run() -> int:
        nonlocal number
        count = 0
        for _ in range(repeats):
            number += 1
            count += sum(len(batch) for batch in loader.epoch(number))
        return count

    return run


def clip_methods(
    items: Sequence[VideoItem], settings: VideoFields, cache: Path
) -> dict[str, Pass]:
    """Return what cuts the middle clip out of each video."""
    files = [item.files[0] for item in items]
    decoder = VideoDecoder(tuple(items), SHORTER_SIDE)
    kept = SampleCache(cache / "videos", decoder, is_bounded=False)
    cold = VideoSplit(decoder, settings.clip, SIDE, is_scored=True)
    warm = VideoSplit(decoder, settings.clip, SIDE, is_scored=True, cache=kept)
    longer = VideoSplit(
        VideoDecoder(tuple(items) * 4, SHORTER_SIDE), settings.clip, SIDE, is_scored=True
    )
    return {
        "PyAV": lambda: over(files, lambda file: with_pyav(file, "NONE")),
        "PyAV, threads": lambda: over(files, lambda file: with_pyav(file, "AUTO")),
        "OpenCV": lambda: over(files, lambda file: clip_with_opencv(file, cv2.INTER_AREA)),
        "OpenCV, 4 pixels": lambda: over(
            files, lambda file: clip_with_opencv(file, cv2.INTER_LINEAR)
        ),
        "ours, cold": lambda: over(range(len(items)), lambda i: cold.decode((i, 0))),
        "ours, cold, 1 worker": clip_epochs(longer, workers=1),
        "ours, cold, 2 workers": clip_epochs(longer, workers=2),
        "ours, warm": clip_epochs(warm, repeats=8),
    }


def clip_epochs(split: VideoSplit, *, workers: int = 0, repeats: int = 1) -> Pass:
    """Return what loads uint8 batches of one clip."""
    loader = EpochLoader(split, 1, shuffle=None, delivery=Delivery(workers))
    return lambda: sum(len(batch) for _ in range(repeats) for batch in loader.epoch(1))


def with_pyav(file: Path, threads: str) -> object:
    """Decode up to the clip's last frame by PyAV, and scale its frames one by one."""
    with av.open(str(file), metadata_errors="ignore") as container:
        stream = container.streams.video[0]
        stream.thread_type = threads
        wanted = middle(stream.frames)
        size = {"width": stream.width, "height": stream.height}
        scale = SHORTER_SIDE / min(size.values())
        scaled = {name: round(length * scale) for name, length in size.items()}
        kept = []
        for number, frame in enumerate(container.decode(stream)):
            if number in wanted:
                small = frame.reformat(**scaled, format="rgb24", interpolation="BILINEAR")
                kept.append(small.to_ndarray())
            if number >= max(wanted):
                break
    return squares(np.stack(kept))


def clip_with_opencv(file: Path, method: int) -> object:
    """Decode up to the clip's last frame by OpenCV, and scale its frames.

    By area is what FFmpeg's bilinear filter comes to when shrinking; OpenCV's own bilinear looks
    at four pixels however far it shrinks, which is faster and aliases.
    """
    video = cv2.VideoCapture(str(file))
    wanted = middle(int(video.get(cv2.CAP_PROP_FRAME_COUNT)))
    kept = []
    for number in range(max(wanted) + 1):
        video.grab()
        if number in wanted:
            frame = video.retrieve()[1]
            scale = SHORTER_SIDE / min(frame.shape[:2])
            size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
            small = cv2.resize(frame, size, interpolation=method)
            kept.append(cv2.cvtColor(small, cv2.COLOR_BGR2RGB))
    video.release()
    return squares(np.stack(kept))


def middle(frame_count: int) -> set[int]:
    """Return the frames of the clip in the middle."""
    start = max(0, frame_count - FRAMES) // 2
    return set(clip_indices(frame_count, frames=FRAMES, stride=1, start=start).tolist())


def squares(frames: NDArray[np.generic]) -> Frames:
    """Cut the square in the middle and own it."""
    [corner] = view_corners((frames.shape[1], frames.shape[2]), SIDE, crops=1)
    return np.ascontiguousarray(cut_square(frames.astype(np.uint8, copy=False), corner, SIDE))


def write_pictures(folder: Path, data: Path | None) -> None:
    """Fill an image folder: from COCO, or drawn at 640 x 480."""
    (folder / "train" / "pictures").mkdir(parents=True)
    if data is not None:
        for file in sorted((data / "coco_mini" / "train2017").glob("*.jpg"))[:PICTURES]:
            shutil.copy(file, folder / "train" / "pictures")
        return
    for number in range(PICTURES):
        scene = draw_scene(0, number, width=640, height=480)
        target = folder / "train" / "pictures" / f"{number:04d}.jpg"
        cv2.imwrite(str(target), scene.image[..., ::-1])


def videos(data: Path | None) -> tuple[VideoFields, list[VideoItem]]:
    """Return all videos there are: of UCF101, or drawn."""
    clip = {"frames": FRAMES, "shorter_side": SHORTER_SIDE}
    common = {"clip": clip, "image_size": SIDE}
    settings: VideoFields
    if data is None:
        settings = StreetActionsData.model_validate(common | LIKE_UCF101)
    else:  # in the second split all of the seven are for training
        more = {"root": data / "ucf101_mini", "split_list": 2}
        settings = UCF101Data.model_validate(common | more)
    build = resolve(DATASETS[settings.dataset].builder)
    return settings, list(build(settings, "action_recognition", "train").items)


def trial_start(root: Path, workspace: Path) -> dict[str, float]:
    """Start a process as a trial does; return its seconds for imports and for the first batch."""
    checkout = str(Path(__file__).resolve().parents[1])
    environment = os.environ | {"VISIONSTUDY_WORKSPACE": str(workspace), "PYTHONPATH": checkout}
    command = [sys.executable, "-c", TRIAL, str(root), str(BATCH)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    seconds: dict[str, float] = json.loads(run.stdout)
    return seconds


def promises(timings: Sequence[Timing], start: Mapping[str, float]) -> Iterator[tuple[str, bool]]:
    """Yield each promise with its number, and whether it is kept."""
    rate = {(each.what, each.method): each.per_second for each in timings}
    warm = rate["256 px", "ours, warm"] / rate["256 px", "PIL"]
    yield f"256 px, warm: {warm:.0f} times PIL (at least 15)", warm >= 15
    clips = rate["clips", "ours, warm"] / rate["clips", "PyAV"]
    yield f"clips, warm: {clips:.0f} times PyAV (at least 50)", clips >= 50
    others = {"clips": ("PyAV", "PyAV, threads", "OpenCV")}
    for what in (*(f"{size} px" for size in SIZES), "clips"):
        best = max(rate[what, name] for name in others.get(what, ("OpenCV",)))
        cold = rate[what, "ours, cold"] / best
        yield f"{what}, cold: {cold:.2f} of the best with that filter (at least 0.9)", cold >= 0.9
    seconds = start["first batch"]
    yield f"first batch of a second trial: {seconds:.2f} s (at most 1)", seconds <= 1


def machine() -> str:
    """Return what the numbers were measured on."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, load {load}, "
        f"Python {platform.python_version()}, {versions}"
    )


def print_table(timings: Sequence[Timing]) -> None:
    """Print a line per method, with the ratio to the first one of its kind."""
    first: dict[str, float] = {}
    print(f"{'':8} {'method':24} {'per second':>12} {'ratio':>8} {'passes':>7}")
    for each in timings:
        ratio = each.per_second / first.setdefault(each.what, each.per_second)
        print(
            f"{each.what:8} {each.method:24} {each.per_second:12,.1f} {ratio:8.2f} {each.passes:7}"
        )


def write_csv(file: Path, timings: Sequence[Timing], start: Mapping[str, float]) -> None:
    """Write what was measured, one number per line."""
    with file.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["what", "method", "value", "unit", "passes"])
        for each in timings:
            rows.writerow([each.what, each.method, f"{each.per_second:.3f}", "1/s", each.passes])
        for name, seconds in start.items():
            rows.writerow(["second trial", name, f"{seconds:.3f}", "s", 1])


def main() -> int:
    """Measure, print, write; return 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with coco_mini and ucf101_mini")
    parser.add_argument("--csv", type=Path, help="file for the numbers")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each method, at each size")
    asked = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="visionstudy-data-") as name:
        folder, cache = Path(name) / "pictures", Path(name) / "samples"
        os.environ["VISIONSTUDY_WORKSPACE"] = name
        write_pictures(folder, asked.data)
        timings: list[Timing] = []
        for size in SIZES:
            methods = picture_methods(folder, size, cache)
            timings += measured(f"{size} px", methods, asked.seconds)
        settings, items = videos(asked.data)
        timings += measured("clips", clip_methods(items, settings, cache), asked.seconds)
        print_table(timings)
        trial_start(folder, Path(name))  # the first trial keeps what the second one finds
        start = trial_start(folder, Path(name))
    print("second trial: " + ", ".join(f"{what} {each:.2f} s" for what, each in start.items()))
    if asked.csv is not None:
        write_csv(asked.csv, timings, start)
    kept = True
    for text, is_kept in promises(timings, start):
        print(("kept      " if is_kept else "NOT KEPT  ") + text)
        kept &= is_kept
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
