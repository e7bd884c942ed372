"""Samples kept on disk: what is kept, and that it is what was decoded."""

import os
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import pytest

from data_pipeline.cache import build_all, building, cache_folder, plan, sample_cache
from data_pipeline.cache.build_all import build_by_processes
from data_pipeline.cache.building import ShardJob, Tick
from data_pipeline.cache.locks import lock
from data_pipeline.cache.sample_cache import SampleCache
from data_pipeline.cache.shards import ShardWriter
from data_pipeline.errors import InvalidDataError
from data_pipeline.samples import (
    ClipSample,
    Sample,
    SegmentationSample,
)

SIDE = 16
SAMPLE_BYTES = SIDE * SIDE * 4  # three channels and the label map


@dataclass
class Drawn:
    """A decoder whose samples follow from their number; it notes what it decodes."""

    numbers: range
    broken: frozenset[int] = frozenset()
    decoded: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers)

    def decode(self, index: int) -> SegmentationSample:
        number = self.numbers[index]
        self.decoded.append(number)
        if number in self.broken:
            raise InvalidDataError(f"image {number} is damaged")
        return drawn(number)

    def part(self, indices: range) -> "Drawn":
        return Drawn(self.numbers[indices.start : indices.stop], self.broken, self.decoded)


def drawn(number: int) -> SegmentationSample:
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 4)).astype(np.uint8)
    return SegmentationSample(f"{number:04d}", pixels[..., :3], pixels[..., 3])


def pixels(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape).astype(np.uint8)


def assert_same(one: Sample | None, other: Sample | None) -> None:
    assert one is not None
    assert type(one) is type(other)
    for name in (each.name for each in fields(one)):
        first, second = getattr(one, name), getattr(other, name)
        assert type(first) is type(second)
        assert np.array_equal(first, second)
        if isinstance(first, np.ndarray):
            assert first.dtype == second.dtype
            assert first.shape == second.shape


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten samples to a shard."""
    monkeypatch.setattr(plan, "SHARD_BYTES", 10 * SAMPLE_BYTES)


def cache_of(
    folder: Path, count: int = 25, *, key: str = "key", is_bounded: bool = True
) -> tuple[SampleCache, Drawn]:
    decoder = Drawn(range(count))
    return SampleCache(folder / "samples" / key, decoder, is_bounded=is_bounded), decoder


def built(folder: Path, count: int = 25, *, key: str = "key") -> SampleCache:
    cache, _ = cache_of(folder, count, key=key)
    cache.build()
    return cache


def test_cache_lies_in_the_workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here" / "cache"
    monkeypatch.delenv("VISIONSTUDY_WORKSPACE")
    monkeypatch.chdir(tmp_path)
    assert cache_folder() == tmp_path / "runs" / "cache"


def test_kept_samples_equal_the_decoded_ones_and_are_decoded_once(tmp_path: Path) -> None:
    cache, decoder = cache_of(tmp_path)
    assert 0 not in cache
    cache.build()
    assert sorted(decoder.decoded) == [0, *range(25)]  # the first one to learn the size
    for index in range(25):
        assert index in cache
        assert_same(cache.sample(index), drawn(index))
    again, unused = cache_of(tmp_path)
    again.build()
    assert_same(again.sample(24), drawn(24))
    assert unused.decoded == []


def test_kept_samples_cannot_be_changed(tmp_path: Path) -> None:
    sample = built(tmp_path).sample(3)
    assert isinstance(sample, SegmentationSample)
    with pytest.raises(ValueError, match="read-only"):
        sample.image[0] = 0


def test_progress_is_told_shard_by_shard(tmp_path: Path) -> None:
    cache, _ = cache_of(tmp_path)
    told: list[tuple[int, int]] = []
    cache.build(progress=lambda kept, samples: told.append((kept, samples)))
    assert told == [(10, 25), (20, 25), (25, 25)]


def test_progress_is_told_within_a_shard_and_may_stop_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sample_cache, "TELL_INTERVAL_S", 0.0)
    cache, decoder = cache_of(tmp_path)

    def stop_at_14(kept: int, _samples: int) -> None:
        if kept == 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.build(progress=stop_at_14)
    assert decoder.decoded == [0, *range(14)]
    assert not list(tmp_path.rglob("*.partial"))
    cache.build()
    assert cache.are_kept().all()
    assert decoder.decoded[15:] == [*range(10, 25)]  # the first shard stayed


def test_progress_may_stop_the_wait_for_another_builder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sample_cache, "TELL_INTERVAL_S", 0.0)
    told: list[int] = []

    def stop_at_the_end(kept: int, _samples: int) -> None:
        told.append(kept)
        if told[-3:] == [15, 15, 15]:
            raise KeyboardInterrupt

    cache, _ = cache_of(tmp_path)
    held_by_another = lock(tmp_path / "samples" / "key" / "00001.lock")
    with held_by_another, pytest.raises(KeyboardInterrupt):
        cache.build(progress=stop_at_the_end)
    assert cache.are_kept().sum() == 15


@dataclass
class Slow(Drawn):
    """A decoder of which a shard takes minutes."""

    def decode(self, index: int) -> SegmentationSample:
        time.sleep(1.0)
        return super().decode(index)

    def part(self, indices: range) -> "Slow":
        return Slow(self.numbers[indices.start : indices.stop])


def test_helpers_stop_in_the_middle_of_a_shard_and_leave_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "samples" / "key"
    folder.mkdir(parents=True)
    jobs = [ShardJob(folder / f"{n:05d}.shard", Slow(range(200)), 1, True) for n in range(3)]

    def stop(_done: int) -> None:
        if list(folder.glob("*.partial")):
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(build_by_processes(jobs, 2, stop))
    assert time.monotonic() - started < 100  # one shard takes 200 s
    assert not list(folder.glob("*.partial"))
    assert not list(folder.glob("*.shard"))


def test_builder_holds_no_more_in_memory_than_it_may(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waiting: list[int] = []
    write = ShardWriter.write

    def noted(writer: ShardWriter) -> None:
        waiting.append(writer.waiting)
        write(writer)

    monkeypatch.setattr(ShardWriter, "write", noted)
    monkeypatch.setattr(building, "FLUSH_BYTES", 3 * SAMPLE_BYTES)
    cache = built(tmp_path, 10)
    assert waiting[:3] == [3 * SAMPLE_BYTES] * 3
    assert len(waiting) == 4
    for index in range(10):
        assert_same(cache.sample(index), drawn(index))


def test_open_cache_takes_little_memory_per_sample(tmp_path: Path) -> None:
    count = 500
    built(tmp_path, count).close()
    cache, _ = cache_of(tmp_path, count)
    tracemalloc.start()
    try:
        cache.build()
        assert cache.are_kept().all()
        opened = tracemalloc.get_traced_memory()[0]
        for index in range(count):
            cache.sample(index)
        assert tracemalloc.get_traced_memory()[0] - opened < 20 * count
    finally:
        tracemalloc.stop()


def test_damaged_image_is_not_kept_and_spoils_no_other(tmp_path: Path) -> None:
    decoder = Drawn(range(12), broken=frozenset({0, 4}))
    cache = SampleCache(tmp_path / "samples" / "key", decoder, is_bounded=True)
    cache.build()
    assert [index in cache for index in range(12)] == [i not in (0, 4) for i in range(12)]
    assert cache.sample(4) is None
    assert_same(cache.sample(5), drawn(5))


def test_nothing_that_can_be_decoded_keeps_nothing(tmp_path: Path) -> None:
    decoder = Drawn(range(2), broken=frozenset({0, 1}))
    cache = SampleCache(tmp_path / "samples" / "key", decoder, is_bounded=True)
    cache.build()
    assert cache.sample(0) is None


def test_processes_build_the_same_shards(tmp_path: Path) -> None:
    alone = built(tmp_path / "alone")
    alone.close()
    folder = tmp_path / "helped" / "samples" / "key"
    jobs = [
        ShardJob(
            folder / f"{n:05d}.shard", Drawn(range(25)).part(indices), 10 * SAMPLE_BYTES, True
        )
        for n, indices in enumerate((range(10), range(10, 20), range(20, 25)))
    ]
    folder.mkdir(parents=True)
    assert {outcome for _, outcome in build_by_processes(jobs, 2, lambda _: None)} == {"whole"}
    for job in jobs:
        twin = tmp_path / "alone" / "samples" / "key" / job.file.name
        assert job.file.read_bytes() == twin.read_bytes()


def test_processes_help_only_where_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    helped: list[int] = []

    def noted(jobs: list[ShardJob], processes: int, _tick: Tick) -> Iterator[tuple[ShardJob, str]]:
        helped.append(len(jobs) * processes)
        yield from [(job, "whole") for job in jobs]

    monkeypatch.setattr(build_all, "build_by_processes", noted)
    cache, _ = cache_of(tmp_path)
    cache.build(processes=2)
    assert helped == []
    monkeypatch.setattr(build_all, "ALONE_S", 0.0)
    monkeypatch.setattr(build_all, "WORTH_PROCESSES_S", 0.0)
    cache, _ = cache_of(tmp_path, key="other")
    cache.build(processes=2)
    assert helped == [3 * 2]


@pytest.mark.parametrize("seed", range(12))
def test_flipped_byte_is_never_read_as_a_sample(
    tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    built(tmp_path).close()
    file = tmp_path / "samples" / "key" / "00001.shard"
    content = bytearray(file.read_bytes())
    place = int(np.random.default_rng(seed).integers(len(content)))
    content[place] ^= 1 << seed % 8
    file.write_bytes(content)
    cache, decoder = cache_of(tmp_path)
    cache.build()
    missing = 0
    for index in range(25):
        sample = cache.sample(index)
        missing += sample is None
        if sample is not None:
            assert_same(sample, drawn(index))
    assert ("decoded again" in caplog.text) == (missing > 0)
    assert missing > 0  # at multiples of 64 bytes these samples leave no padding
    cache.build()
    assert all(index in cache for index in range(25))
    assert sorted(decoder.decoded) == list(range(10, 20))  # that shard and no other


def test_cut_off_shard_is_built_again(tmp_path: Path) -> None:
    built(tmp_path).close()
    file = tmp_path / "samples" / "key" / "00000.shard"
    for size in (0, 3, file.stat().st_size - 1):
        os.truncate(file, size)
        cache, _ = cache_of(tmp_path)
        cache.build()
        assert cache.sample(0) is None
        cache.build()
        assert_same(cache.sample(0), drawn(0))


def test_damaged_plan_is_made_again(tmp_path: Path) -> None:
    built(tmp_path).close()
    (tmp_path / "samples" / "key" / "plan.json").write_text('{"samples": 25')
    assert_same(built(tmp_path).sample(11), drawn(11))


def test_only_the_frames_of_a_video_that_are_read_are_compared(tmp_path: Path) -> None:
    @dataclass
    class Videos:
        def __len__(self) -> int:
            return 1

        def decode(self, index: int) -> ClipSample:  # noqa: ARG002
            return ClipSample("v", pixels(6, 8, 8, 3), 0)

        def part(self, indices: range) -> "Videos":  # noqa: ARG002
            return self

    folder = tmp_path / "samples" / "key"
    SampleCache(folder, Videos(), is_bounded=True).build()
    file = folder / "00000.shard"
    content = bytearray(file.read_bytes())
    content[4 * 8 * 8 * 3 + 5] ^= 1  # in frame 4
    file.write_bytes(content)
    cache = SampleCache(folder, Videos(), is_bounded=True)
    cache.build()
    assert cache.frame_count(0) == 6
    sample = cache.sample(0, rows=[0, 1, 5])
    assert isinstance(sample, ClipSample)
    assert (sample.frames[5] == pixels(6, 8, 8, 3)[5]).all()
    assert cache.sample(0, rows=[3, 4]) is None
