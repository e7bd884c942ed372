"""Which samples of a split are in which shard: decided once, by the first who needs them."""

import json
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from data_pipeline.cache.building import Decoder
from data_pipeline.cache.packing import pack
from data_pipeline.errors import DataError
from data_pipeline.hashing import write_whole

SHARD_BYTES = 64 * 10**6
LEAST_SHARD_BYTES = 10**5  # each has to reach the disk before the next
MOST_PER_SHARD = 256  # is lost when a builder is stopped
SHARES = 64  # of a small split: so that helpers, up to 16, end at about the same time
MOST_SHARDS = 400  # each takes a file descriptor of each trial
SAMPLES_PER_PROBE, MOST_PROBES = 1000, 5  # samples decoded to learn their size
PLAN_FILE = "plan.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a split is cut into shards."""

    samples: int
    per_shard: int
    sample_bytes: int  # mean of the probes

    @property
    def shards(self) -> int:
        """How many there are when all are built."""
        return -(-self.samples // self.per_shard)

    def indices(self, number: int) -> range:
        """Return the samples of a shard."""
        start = number * self.per_shard
        return range(start, min(start + self.per_shard, self.samples))


def agreed_plan(folder: Path, decoder: Decoder) -> Plan | None:
    """Return the plan in the folder, or make it; None when no sample can be decoded.

    Two processes that make it at once make the same: it follows from the samples.

    Raises:
        OSError: It cannot be written.
    """
    file = folder / PLAN_FILE
    plan = _read(file)
    if plan is None or plan.samples != len(decoder):
        plan = _made(decoder)
        if plan is not None:
            write_whole(file, json.dumps(asdict(plan)))
    return plan


def _read(file: Path) -> Plan | None:
    try:
        plan = Plan(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):  # not there, or damaged
        return None
    return plan if plan.samples > 0 and plan.per_shard > 0 else None


def _made(decoder: Decoder) -> Plan | None:
    sizes = _probed(decoder)
    if not sizes:
        return None
    size, count = sum(sizes) // len(sizes), len(decoder)
    least, most = max(1, LEAST_SHARD_BYTES // size), max(1, SHARD_BYTES // size)
    per_shard = min(max(-(-count // SHARES), least), most, MOST_PER_SHARD)
    return Plan(count, max(per_shard, -(-count // MOST_SHARDS)), size)


def _probed(decoder: Decoder) -> list[int]:
    """Return the bytes of some samples, evenly spread; after each that is damaged, the next."""
    probes = min(MOST_PROBES, 1 + len(decoder) // SAMPLES_PER_PROBE)
    starts = [len(decoder) * probe // probes for probe in range(probes + 1)]
    sizes = (_first_size(decoder, range(*part)) for part in pairwise(starts))
    return [size for size in sizes if size is not None]


def _first_size(decoder: Decoder, indices: range) -> int | None:
    for index in indices:
        try:
            sample = decoder.decode(index)
        except DataError:
            continue
        if sample is not None:
            return max(1, pack([sample]).size)
    return None
