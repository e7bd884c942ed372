import errno
import io
import json
import logging
import random
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import torch

from models.checkpoints import Checkpoints, UnreadableCheckpointError, write_atomically
from models.determinism import random_state, restore_random_state, seed_everything
from models.workbench import dump_state, load_state


def dump(state: object, stream: BinaryIO) -> None:
    stream.write(json.dumps(state).encode())


def load(stream: BinaryIO) -> Any:  # whatever was dumped
    return json.load(stream)


@pytest.fixture
def store(tmp_path: Path) -> Checkpoints:
    folders = tmp_path / "new", tmp_path / "old"
    for folder in folders:
        folder.mkdir()
    return Checkpoints(folders[0], (folders[1],), dump, load)


def earlier(store: Checkpoints) -> Checkpoints:
    return Checkpoints(store.earlier_folders[0], (), dump, load)


def states(store: Checkpoints) -> list[Any]:
    return [state for _, state in store.newest()]


def test_newest_comes_first_over_all_attempts(store: Checkpoints) -> None:
    earlier(store).save("a", epoch=1, step=5)
    store.save("b", epoch=2, step=0)
    assert states(store) == ["b", "a"]


def test_only_the_newest_two_are_kept(store: Checkpoints) -> None:
    for epoch in range(1, 4):
        earlier(store).save(epoch, epoch=epoch, step=0)
    store.save(4, epoch=4, step=0)
    assert states(store) == [4, 3]
    store.save(4.5, epoch=4, step=7)
    assert states(store) == [4.5, 4]
    assert not list(store.earlier_folders[0].iterdir())


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "other"])
def test_damaged_newest_falls_back_to_the_one_before(
    damage: str, store: Checkpoints, caplog: pytest.LogCaptureFixture
) -> None:
    store.save([1] * 50, epoch=1, step=0)
    newest = store.save([2] * 50, epoch=2, step=0)
    content = bytearray(newest.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[-10] ^= 1
    elif damage == "emptied":
        content = bytearray()
    else:
        content[0] ^= 1
    newest.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert states(store) == [[1] * 50]
    assert newest.name in caplog.text


def test_checkpoint_from_before_the_damage_replaces_the_damaged_one(store: Checkpoints) -> None:
    old = earlier(store)
    old.save(1, epoch=1, step=0)
    old.save(2, epoch=2, step=0).write_bytes(b"")
    store.save(1.5, epoch=1, step=3)
    assert states(store) == [1.5, 1]
    assert [file.name for file in store.earlier_folders[0].iterdir()] == [
        "checkpoint-000001-00000000.ckpt"
    ]


def test_full_disk_leaves_nothing_behind_and_is_told(store: Checkpoints) -> None:
    store.save("good", epoch=1, step=0)

    def fill(stream: BinaryIO) -> None:
        stream.write(b"x" * 100)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomically(store.folder / "checkpoint-000002-00000000.ckpt", fill)
    assert [file.name for file in store.folder.iterdir()] == ["checkpoint-000001-00000000.ckpt"]
    assert states(store) == ["good"]


def test_leftovers_of_a_kill_during_a_write_are_ignored_and_then_removed(
    store: Checkpoints,
) -> None:
    leftover = store.earlier_folders[0] / ".checkpoint-000009-00000000.ckpt.partial"
    leftover.write_bytes(b"half")
    assert states(store) == []
    store.save(1, epoch=1, step=0)
    assert not leftover.exists()


def test_missing_folder_of_an_earlier_attempt_is_no_error(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, (tmp_path / "collected",), dump, load)
    store.save(1, epoch=1, step=0)
    assert states(store) == [1]


def test_loading_a_torch_state_executes_nothing(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "executed",)

    torch.save({"model": Payload()}, tmp_path / "state")
    with (
        (tmp_path / "state").open("rb") as stream,
        pytest.raises(UnreadableCheckpointError, match="is not a saved state"),
    ):
        load_state(stream)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x80\x020.", id="a pop from an empty stack"),
        pytest.param(b"\x80\x02t.", id="a tuple without a mark"),
        pytest.param(b"PK\x03\x04" + bytes(60), id="an archive that ends"),
    ],
)
def test_what_is_no_state_is_told_whatever_the_reader_stumbles_over(damaged: bytes) -> None:
    with pytest.raises(UnreadableCheckpointError, match="is not a saved state"):
        load_state(io.BytesIO(damaged))


def test_random_states_survive_a_checkpoint(tmp_path: Path) -> None:
    def draw() -> list[float]:
        legacy = np.random.normal(size=3)  # noqa: NPY002  # the global generator is meant
        return [random.random(), *legacy.tolist(), *torch.randn(3).tolist()]

    seed_everything(5)
    draw()
    store = Checkpoints(tmp_path, (), dump_state, load_state)
    store.save(random_state(), epoch=1, step=0)
    expected = draw()
    seed_everything(6)
    _, state = next(store.newest())
    restore_random_state(state)
    assert draw() == expected
