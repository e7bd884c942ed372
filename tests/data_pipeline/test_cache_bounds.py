"""How much kept samples may take: bound, eviction, and disks that are full or read-only."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from data_pipeline.cache import plan
from data_pipeline.cache.bounds import entry_lock, limit_bytes, used_bytes
from data_pipeline.cache.locks import lock, try_lock
from data_pipeline.cache.sample_cache import SampleCache
from data_pipeline.errors import DataError
from data_pipeline.samples import ClassificationSample, Sample

SIDE = 16
SAMPLE_BYTES = SIDE * SIDE * 3


@dataclass
class Drawn:
    """A decoder whose samples follow from their number; it notes what it decodes."""

    numbers: range
    decoded: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers)

    def decode(self, index: int) -> ClassificationSample:
        number = self.numbers[index]
        self.decoded.append(number)
        return drawn(number)

    def part(self, indices: range) -> "Drawn":
        return Drawn(self.numbers[indices.start : indices.stop], self.decoded)


def drawn(number: int) -> ClassificationSample:
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    return ClassificationSample(f"{number:04d}", pixels, number)


def assert_same(one: Sample | None, other: ClassificationSample) -> None:
    assert isinstance(one, ClassificationSample)
    assert (one.image_id, one.label) == (other.image_id, other.label)
    assert np.array_equal(one.image, other.image)


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


def test_least_recently_opened_goes_first_and_what_is_open_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    samples = tmp_path / "samples"
    opened = {name: built(tmp_path, 10, key=name) for name in ("open", "old", "newer")}
    one = used_bytes(samples) / 3
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", str(3.4 * one / 10**9))
    for age, (name, cache) in enumerate(opened.items()):
        if name != "open":
            cache.close()
        os.utime(entry_lock(samples / name), (age, age))  # "open" was opened first
    newest = built(tmp_path, 10, key="newest")
    assert used_bytes(samples) <= 3.4 * one
    assert sorted(f.name for f in samples.iterdir() if f.is_dir()) == ["newer", "newest", "open"]
    assert not entry_lock(samples / "old").exists()
    assert_same(opened["open"].sample(3), drawn(3))
    assert_same(newest.sample(9), drawn(9))


def test_as_many_leading_shards_are_kept_as_fit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", str(2.5 * 10 * SAMPLE_BYTES / 10**9))
    cache, decoder = cache_of(tmp_path, 45)
    cache.build()
    assert [index in cache for index in range(45)] == [index < 20 for index in range(45)]
    assert used_bytes(tmp_path / "samples") <= limit_bytes(tmp_path / "samples")
    assert decoder.decoded == [0, *range(20)]  # nothing for the bin
    assert caplog.text.count("VISIONSTUDY_CACHE_GB") == 1
    assert "(VISIONSTUDY_CACHE_GB)" in vars(caplog.records[-1])["topic"]
    cache.build()  # the next epoch
    assert caplog.text.count("VISIONSTUDY_CACHE_GB") == 1


def test_nothing_is_removed_for_what_cannot_fit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built(tmp_path, 10, key="small").close()
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", str(5 * SAMPLE_BYTES / 10**9))
    cache = built(tmp_path, 10, key="large")
    assert 0 not in cache
    assert (tmp_path / "samples" / "small" / "00000.shard").exists()


def test_on_keeps_all_whatever_the_bound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", "0")
    cache, _ = cache_of(tmp_path, is_bounded=False)
    cache.build()
    assert all(index in cache for index in range(25))


def test_bound_is_never_more_than_half_of_the_free_space(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", "1e6")
    status = os.statvfs(tmp_path)
    free = status.f_bavail * status.f_frsize
    assert 0.4 * free < limit_bytes(tmp_path) < 0.6 * free


@pytest.mark.parametrize(
    ("total_gb", "free_gb", "reserve_gb"),
    [(50, 40, 1), (1000, 40, 20), (1000, 1.5, 0.75), (0.1, 0.1, 0.05)],
)
def test_without_a_bound_the_disks_reserve_stays_free(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    total_gb: float,
    free_gb: float,
    reserve_gb: float,
) -> None:
    total, free = int(total_gb * 10**9), int(free_gb * 10**9)
    disk = SimpleNamespace(total=total, used=total - free, free=free)
    monkeypatch.setattr("data_pipeline.cache.bounds.shutil.disk_usage", lambda _: disk)
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", "0")
    assert limit_bytes(tmp_path, is_bounded=False) == free - reserve_gb * 10**9


@pytest.mark.parametrize("value", ["20GB", "nan", "inf"])
def test_bound_that_is_no_number_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", value)
    with pytest.raises(DataError, match=f"must be a number of gigabytes .* got '{value}'"):
        limit_bytes(tmp_path)


def test_lock_of_a_removed_file_is_not_taken_for_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "entry.lock"
    with lock(file):
        file.unlink()
        with lock(file):  # another file of the name, and free
            assert try_lock(file) is None
    with lock(file, is_shared=True), lock(file, is_shared=True):
        assert try_lock(file) is None
    held = try_lock(file)
    assert held is not None
    del held
    assert try_lock(file) is not None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_small_disk_falls_back_to_decoding_with_one_warning(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache, _ = cache_of(small_disk, 400, is_bounded=False)
    cache.build()
    cache.build()
    kept = [index in cache for index in range(400)]
    assert 0 < sum(kept) < 400
    for index in np.flatnonzero(kept):
        assert_same(cache.sample(int(index)), drawn(int(index)))
    assert cache.sample(399) is None
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "the rest of the disk is left for the study's own files" in warning.message
    assert str(small_disk) in warning.message
    assert "MB more are needed and" in warning.message
    assert "MB are free" in warning.message
    assert vars(warning)["topic"].startswith(
        "decoded samples cannot be kept (the rest of the disk"
    )
    assert not list(small_disk.rglob("*.partial"))
    assert all(shard.stat().st_size > 0 for shard in small_disk.rglob("*.shard"))


@pytest.mark.parametrize("is_bounded", [True, False])
def test_cache_leaves_half_of_a_small_disk_free(small_disk: Path, is_bounded: bool) -> None:
    cache, _ = cache_of(small_disk, 400, is_bounded=is_bounded)
    cache.build()
    assert 0 in cache
    status = os.statvfs(small_disk)
    assert status.f_bavail >= 0.4 * status.f_blocks


def test_samples_not_in_use_make_room_before_the_reserve_is_used(small_disk: Path) -> None:
    old, _ = cache_of(small_disk, 60, key="old", is_bounded=False)
    old.build()
    old.close()
    cache, _ = cache_of(small_disk, 60, key="new", is_bounded=False)
    cache.build()
    assert all(index in cache for index in range(60))
    assert not (small_disk / "samples" / "old").exists()


def test_disk_that_cannot_be_written_is_read_from_the_source(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    cache, _ = cache_of(small_disk)
    cache.build()
    assert cache.sample(0) is None
    assert "Read-only file system" in caplog.text


def test_file_that_may_not_grow_falls_back_with_a_warning(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from tests.data_pipeline.test_cache_bounds import cache_of\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "cache, _ = cache_of(Path(sys.argv[1])); cache.build(); print(0 in cache)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert run.stdout == "False\n"
    assert "File too large" in run.stderr
    assert not list(tmp_path.rglob("*.partial"))
