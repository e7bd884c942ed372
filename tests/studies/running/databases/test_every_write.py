"""A coordinator killed between any two of its own writes: the next launch makes good for it.

Of the smallest study every state is launched again; of those that do more, some.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

SCRIPT = Path(__file__).with_name("every_write.py")
ROOT = Path(__file__).parents[4]
RATE, BATCH = "training.learning_rate", "training.batch_size"
RATES = {"stage": "rate", "vary": {RATE: [1e-2, 1e-3]}}
WIDE = {"low": 1e-5, "high": 1e-1, "log": True}
TREE = {
    "tree": [
        RATES,
        {"stage": "batch", "vary": {BATCH: [2, 4]}},
        {
            "stage": "threshold",
            "after_training": True,
            "vary": {"evaluation.threshold": [0.3, 0.5]},
        },
    ],
    "confirm": {"seeds": 2},
    "probe": True,
}
PRUNED = {
    "joint": {
        "space": {RATE: WIDE},
        "sampler": "tpe",
        "trials": 4,
        "pruner": {"name": "median", "startup_trials": 1},
    },
    "replicates": 2,
}
EVOLVING = {
    "joint": {
        "space": {RATE: WIDE, BATCH: {"low": 1, "high": 8, "integer": True}},
        "sampler": "cmaes",
        "trials": 5,
        "parallel": 2,
        "warm_start": {"values": [{RATE: 1e-3, BATCH: 4}, {RATE: 1e-5, BATCH: 4}]},
    }
}
FAILS_ONCE = {"action": "raise", "attempts": 1, "when": {"learning_rate": 1e-5}}


@pytest.fixture
def killed_everywhere(noop_study: dict[str, Any], tmp_path: Path) -> Any:
    """Return a function that kills a study at its writes, and returns what came of it."""

    def kill(search: dict[str, Any], *, most: int, launches: int = 1) -> dict[str, Any]:
        noop_study["search"] = search
        file = tmp_path / "study.yaml"
        YAML().dump(noop_study, file)
        done = subprocess.run(
            [sys.executable, SCRIPT, file, tmp_path, str(most), str(launches)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert report["expected"]["finished"]
        return report

    return kill


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_killed_between_any_two_writes_ends_as_if_it_had_not_been(
    noop_study: dict[str, Any],
    killed_everywhere: Any,
) -> None:
    noop_study["training"]["epochs"] = 1

    report = killed_everywhere({"tree": [RATES]}, most=1000)

    states = report["relaunched"].values()
    assert len(states) == report["states"] > 50
    kinds = {each["where"].split(" .")[0] for each in states}
    assert {"before a commit", "after a commit", "emptied", "open", "os.rename"} < kinds
    assert [each for each in states if each["changed"] or each["error"]] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("search", "launches", "epochs"),
    [
        pytest.param(TREE, 1, 12, id="confirmed and probed"),
        pytest.param(PRUNED, 1, 13, id="pruned"),
        pytest.param(EVOLVING, 2, 10, id="evolving, and a cell tried again"),
    ],
)
def test_so_does_one_that_does_more(
    noop_study: dict[str, Any],
    killed_everywhere: Any,
    search: dict[str, Any],
    launches: int,
    epochs: int,
) -> None:
    noop_study["training"]["epochs"] = 2
    if launches > 1:
        noop_study["model"]["faults"] = [FAILS_ONCE]

    report = killed_everywhere(search, most=7, launches=launches)

    trained = report["expected"]["epochs"].values()
    assert sum(len(each) for each in trained) == epochs
    states = report["relaunched"].values()
    assert len(states) > 5
    assert [each for each in states if each["changed"] or each["error"]] == []
