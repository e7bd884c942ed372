"""A coordinator killed between any two of its own writes: the next launch makes good for it."""

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
RATE = "training.learning_rate"
TREE = {
    "tree": [
        {"stage": "rate", "vary": {RATE: [1e-2, 1e-3]}},
        {
            "stage": "threshold",
            "after_training": True,
            "vary": {"evaluation.threshold": [0.3, 0.5]},
        },
    ],
    "replicates": 2,
}
SAMPLER = {
    "joint": {
        "space": {RATE: {"low": 1e-5, "high": 1e-1, "log": True}},
        "sampler": "tpe",
        "trials": 4,
    }
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("search", [TREE, SAMPLER], ids=["tree", "sampler"])
def test_a_study_killed_between_any_two_writes_ends_as_if_it_had_not_been(
    noop_study: dict[str, Any], tmp_path: Path, search: dict[str, Any]
) -> None:
    noop_study["search"] = search
    noop_study["training"]["epochs"] = 2
    file = tmp_path / "study.yaml"
    YAML().dump(noop_study, file)
    done = subprocess.run(
        [sys.executable, SCRIPT, file, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    states = report["relaunched"].values()

    assert report["expected"]["finished"]
    assert report["states"] > 100
    kinds = {each["where"].split(" .")[0] for each in states}
    assert {"before a commit", "after a commit", "emptied", "open", "os.rename"} < kinds
    assert [each for each in states if each["changed"] or each["error"]] == []
