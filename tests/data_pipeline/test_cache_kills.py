"""Builders of the cache that are killed, or build at the same time."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from data_pipeline.cache import plan
from data_pipeline.cache.sample_cache import SampleCache
from data_pipeline.cache.shards import Shard
from data_pipeline.samples import Sample, SegmentationSample

COUNT, SIDE = 600, 32
KILLS = 10


@dataclass(frozen=True)
class Slow:
    """A decoder that takes a while, and writes down what it decodes."""

    numbers: range
    note: Path | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def decode(self, index: int) -> SegmentationSample:
        number = self.numbers[index]
        if self.note is not None:
            time.sleep(0.002)
            with self.note.open("a") as stream:
                stream.write(f"{number}\n")
        return drawn(number)

    def part(self, indices: range) -> "Slow":
        return Slow(self.numbers[indices.start : indices.stop], self.note)


def drawn(number: int) -> SegmentationSample:
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 4)).astype(np.uint8)
    return SegmentationSample(f"{number:04d}", pixels[..., :3], pixels[..., 3])


def build(folder: str) -> None:
    """Build the cache in another process: sixty shards."""
    plan.SHARD_BYTES = 10 * SIDE * SIDE * 4
    decoder = Slow(range(COUNT), Path(folder) / f"note-{os.getpid()}")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    SampleCache(Path(folder) / "samples" / "key", decoder, is_bounded=True).build()


def builder(folder: Path) -> "subprocess.Popen[str]":
    """Start a process that builds as soon as `start` says so."""
    script = (
        "import sys; from tests.data_pipeline.test_cache_kills import build; build(sys.argv[1])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def start(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def ended(process: "subprocess.Popen[str]") -> int:
    code = process.wait(60)
    process.communicate()  # closes its pipes
    return code


def assert_is_drawn(sample: Sample | None, number: int) -> None:
    assert isinstance(sample, SegmentationSample)
    source = drawn(number)
    assert sample.image_id == source.image_id
    assert np.array_equal(sample.image, source.image)
    assert np.array_equal(sample.mask, source.mask)


def shards_read_back(folder: Path) -> int:
    """Compare all that was kept with its source; return the number of shards."""
    files = list(folder.rglob("*.shard"))
    for file in files:
        shard = Shard(file)
        for position in range(len(shard)):
            assert_is_drawn(shard.sample(position), int(file.stem) * 10 + position)
    return len(files)


def test_killed_builders_leave_nothing_that_is_wrong_and_are_continued(tmp_path: Path) -> None:
    moments = random.Random(3)
    found = [0]
    for _ in range(KILLS):
        process = builder(tmp_path)
        start(process)
        time.sleep(moments.uniform(0.01, 0.14))
        process.send_signal(signal.SIGKILL)
        assert ended(process) == -signal.SIGKILL  # it was still building
        found.append(shards_read_back(tmp_path))
    assert found == sorted(found)  # nothing is lost
    assert 0 < found[-1] < COUNT // 10
    process = builder(tmp_path)
    start(process)
    assert ended(process) == 0
    assert shards_read_back(tmp_path) == COUNT // 10
    assert not list(tmp_path.rglob("*.partial"))


def test_two_builders_share_the_work(tmp_path: Path) -> None:
    processes = [builder(tmp_path) for _ in range(2)]
    for process in processes:
        start(process)
    assert [ended(process) for process in processes] == [0, 0]
    notes = [[int(line) for line in note.read_text().split()] for note in tmp_path.glob("note-*")]
    assert len(notes) == 2
    work = [number for note in notes for number in note if number != 0]  # 0 tells each the size
    assert sorted(work) == list(range(1, COUNT))
    assert min(map(len, notes)) > COUNT // 10  # both did some
    assert shards_read_back(tmp_path) == COUNT // 10


def test_builder_waits_for_another_and_takes_over_when_it_is_killed(tmp_path: Path) -> None:
    stopped, other = builder(tmp_path), builder(tmp_path)
    start(stopped)
    time.sleep(0.05)
    stopped.send_signal(signal.SIGSTOP)  # it holds its shard, and does not move
    start(other)
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(2)
    stopped.send_signal(signal.SIGKILL)
    assert ended(stopped) == -signal.SIGKILL
    assert ended(other) == 0
    assert shards_read_back(tmp_path) == COUNT // 10
