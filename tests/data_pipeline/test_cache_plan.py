"""How a split is cut into shards."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from data_pipeline.cache import plan
from data_pipeline.errors import InvalidDataError
from data_pipeline.samples import ClassificationSample


@dataclass
class Numbered:
    """A decoder that notes what it decodes."""

    numbers: range
    broken: frozenset[int] = frozenset()
    decoded: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers)

    def decode(self, index: int) -> ClassificationSample:
        number = self.numbers[index]
        self.decoded.append(number)
        if number in self.broken:
            raise InvalidDataError(f"image {number} is damaged")
        return ClassificationSample(f"{number}", np.zeros((4, 4, 3), np.uint8), 0)

    def part(self, indices: range) -> "Numbered":
        return Numbered(self.numbers[indices.start : indices.stop], self.broken, self.decoded)


@pytest.mark.parametrize(
    ("samples", "sample_bytes", "per_shard"),
    [
        (100, 10**6, 2),  # 64 shares, although all would fit two shards
        (100, 10**4, 10),  # no less than 100 kB
        (100, 10**8, 1),  # one is more than a shard should have
        (10**5, 10**6, 250),  # no more files than may be open
        (10**5, 10**3, 256),  # what is lost by stopping is bounded
    ],
)
def test_shards_are_many_enough_to_share_and_few_enough_to_open(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    samples: int,
    sample_bytes: int,
    per_shard: int,
) -> None:
    monkeypatch.setattr(plan, "_probed", lambda _: [sample_bytes])
    agreed = plan.agreed_plan(tmp_path, Numbered(range(samples)))
    assert agreed is not None
    assert agreed.per_shard == per_shard


def test_size_is_learned_from_samples_all_over_the_split(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(plan, "SAMPLES_PER_PROBE", 10)
    decoder = Numbered(range(25), broken=frozenset({8, 9}))
    plan.agreed_plan(tmp_path, decoder)
    assert decoder.decoded == [0, 8, 9, 10, 16]
