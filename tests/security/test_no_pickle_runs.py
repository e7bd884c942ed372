"""Nothing that lies in a run, a cache or a download is executed when it is read."""

import ast
import io
import pickle
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from data_pipeline.errors import DataError
from data_pipeline.video.raft import _read as read_flow_weights
from models.checkpoints import MAGIC, Checkpoints, UnreadableCheckpointError
from models.metrics.segmentation import load_predictions
from models.pretrained import PretrainedWeightsError
from models.pretrained import _read as read_pretrained
from models.tracking.network_appearance import _network as appearance_network
from models.workbench import dump_state, load_state, load_weights

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("studies", "models", "data_pipeline", "trackers", "reports")
RUNS_CODE = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "joblib", "marshal"}
EXEMPT = {
    # Reads pickles from the web by a reader of its own that names what it may build.
    "data_pipeline/datasets/safe_pickle.py",
    # What the processes of one trial, all forked by it, tell each other; never a file.
    "models/process_group.py",
}
Plant = Callable[[str], Path]


def test_the_bomb_would_go_off(bomb: bytes, mark: Path) -> None:
    try:
        pickle.loads(bomb)
    except pickle.UnpicklingError:
        torch.load(io.BytesIO(bomb), weights_only=False)

    assert mark.exists()


def test_a_checkpoint_is_refused_and_training_begins_anew(
    tmp_path: Path, bomb: bytes, mark: Path
) -> None:
    folder = tmp_path / "trial"
    folder.mkdir()
    content = MAGIC + zlib.crc32(bomb).to_bytes(4, "big") + bomb
    (folder / "checkpoint-000001-00000000.ckpt").write_bytes(content)

    found = list(Checkpoints(folder, (), dump_state, load_state).newest())

    assert found == []
    assert not mark.exists()


def test_weights_of_a_run_are_refused(planted: Plant, mark: Path) -> None:
    with pytest.raises(UnreadableCheckpointError):
        load_weights(nn.Linear(1, 1), planted("best-1.pt"))

    assert not mark.exists()


def test_pretrained_weights_are_refused(planted: Plant, mark: Path) -> None:
    with pytest.raises(PretrainedWeightsError):
        read_pretrained(planted("network.pth"))

    assert not mark.exists()


def test_weights_of_optical_flow_are_refused(planted: Plant, mark: Path) -> None:
    with pytest.raises(DataError):
        read_flow_weights(planted("raft.pth"))

    assert not mark.exists()


def test_weights_of_a_tracker_are_refused(planted: Plant, mark: Path) -> None:
    with pytest.raises(ValueError, match="must hold the state dict"):
        appearance_network(planted("deepsort.pt"))

    assert not mark.exists()


def test_saved_predictions_are_refused(planted: Plant, mark: Path) -> None:
    with pytest.raises((ValueError, KeyError, OSError)):
        load_predictions(planted("predictions_val.npz"))

    assert not mark.exists()


def test_an_array_of_objects_among_saved_predictions_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "predictions.npz", format=np.array([{"a": 1}], dtype=object))

    with pytest.raises(ValueError, match="allow_pickle"):
        load_predictions(tmp_path / "predictions.npz")


@pytest.mark.parametrize(
    "file", list(ROOT.glob("*/__init__.py")), ids=lambda file: file.parent.name
)
def test_no_package_of_ours_reads_a_pickle(file: Path) -> None:
    unsafe = [
        f"{module.relative_to(ROOT)}:{call.lineno}"
        for module in sorted(file.parent.rglob("*.py"))
        if str(module.relative_to(ROOT)) not in EXEMPT
        for call in _calls(ast.parse(module.read_text(encoding="utf-8")))
        if _is_unsafe(call)
    ]

    assert unsafe == []


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _is_unsafe(call: ast.Call) -> bool:
    """Say whether a call may run what a file says."""
    name = ast.unparse(call.func)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if name.endswith(("torch.load", "get_state_dict", "load_state_dict_from_url")):
        return given.get("weights_only") != "True"
    if name in ("np.load", "numpy.load"):
        return given.get("allow_pickle") != "False"
    module, _, function = name.rpartition(".")
    return module in RUNS_CODE and function in ("load", "loads", "Unpickler", "open")
