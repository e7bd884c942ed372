"""Which samples of a split are in which shard: decided once, by the first who needs them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from data_pipeline.cache.building import Decoder
from data_pipeline.cache.packing import pack
from data_pipeline.errors import DataError
from data_pipeline.hashing import write_whole

SHARD_BYTES = 64 * 10**6
MOST_PER_SHARD = 4096  # so that its index is read in milliseconds
MOST_SHARDS = 400  # each takes a file descriptor of each trial
PLAN_FILE = "plan.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a split is cut into shards."""

    samples: int
    per_shard: int
    sample_bytes: int  # of the first one that can be decoded

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
    for index in range(len(decoder)):
        try:
            sample = decoder.decode(index)
        except DataError:
            continue
        if sample is not None:
            size = max(1, pack([sample]).size)
            per_shard = min(MOST_PER_SHARD, max(1, SHARD_BYTES // size))
            return Plan(len(decoder), max(per_shard, -(-len(decoder) // MOST_SHARDS)), size)
    return None
