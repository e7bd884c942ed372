"""`visionstudy gc`: only what nobody needs may go, and only when it is said twice."""

import os
from pathlib import Path
from typing import Any

import pytest

from studies.running.file_lock import FileLock
from studies.upkeep.leftovers import clear_leftovers, find_leftovers

Office = Any  # of conftest.py, which cannot be imported


@pytest.fixture
def cached(office: Office) -> Path:
    """Return an entry of the cache that was opened before the study began."""
    entry: Path = office.place.folder / "cache" / "samples" / "abc"
    entry.mkdir(parents=True)
    (entry / "00000.shard").write_bytes(b"x" * 1000)
    lock = entry.with_name("abc.lock")
    lock.touch()
    os.utime(lock, (1.0, 1.0))
    return entry


def test_gc_lists_and_deletes_nothing_unless_told(office: Office, cached: Path) -> None:
    before = _files(office)

    text = office.ask("gc", "--list")

    assert _files(office) == before
    assert "checkpoints of study 'demo'" in text
    assert str(cached.relative_to(office.place.folder)) in text
    assert "delete it by: visionstudy gc --delete" in text


def test_a_finished_study_keeps_its_report_results_and_winners_weights(office: Office) -> None:
    record = office.record()

    office.ask("gc", "--delete")

    left = _files(office)
    assert not [name for name in left if name.endswith(".ckpt")]
    assert office.record() == record
    winner = office.cells(learning_rate=1e-3, batch_size=4)[0]["id"]
    assert any(name.startswith(f"studies/demo/trials/{winner}-1/best-") for name in left)
    office.launch()
    assert office.told("status", "demo")["is_finished"]


def test_an_unfinished_study_keeps_everything(office: Office, cached: Path) -> None:
    os.utime(cached.with_name("abc.lock"))  # it was opened since the study began
    office.interrupt(batch_size=4)

    assert _leftovers(office) == {}


def test_a_study_that_runs_keeps_everything(office: Office) -> None:
    with FileLock(office.place.study("demo") / "lease"):
        assert _leftovers(office) == {}


def test_a_study_that_an_unfinished_one_starts_from_keeps_everything(office: Office) -> None:
    ledger = office.ledger()
    resolved = dict(ledger.study("demo")["resolved"])
    resolved["training"] = {**resolved["training"], "transfer": {"init_from": "study:demo/abcd"}}
    ledger.save_study("later", text="", resolved=resolved, environment={})
    ledger.close()

    assert _leftovers(office) == {}


def test_folders_of_trials_that_the_ledger_does_not_know_may_go(office: Office) -> None:
    orphan = office.place.study("demo") / "trials" / "0123456789ab-1"
    orphan.mkdir()
    (orphan / "events.jsonl").write_text("x")
    office.interrupt(batch_size=4)

    assert _leftovers(office) == {"orphans": [orphan]}


def test_studies_that_the_ledger_does_not_know_stay(office: Office) -> None:
    foreign = office.place.study("foreign") / "trials" / "0123456789ab-1"
    foreign.mkdir(parents=True)

    assert not any(foreign in paths for paths in _leftovers(office).values())


def test_nothing_outside_is_followed_by_a_link(office: Office, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (office.place.study("demo") / "trials" / "link-1").symlink_to(outside)

    office.ask("gc", "--delete")

    assert (outside / "precious").exists()


def test_a_cache_that_is_in_use_stays(office: Office, cached: Path) -> None:
    ledger = office.ledger()
    with FileLock(cached.with_name("abc.lock")):
        gone = [each.path for each in clear_leftovers(ledger, office.place)]
    ledger.close()

    assert cached not in gone
    assert cached.exists()


def _leftovers(office: Office) -> dict[str, list[Path]]:
    ledger = office.ledger()
    found: dict[str, list[Path]] = {}
    for each in find_leftovers(ledger, office.place):
        found.setdefault(each.kind, []).append(each.path)
    ledger.close()
    return found


def _files(office: Office) -> set[str]:
    folder = office.place.folder
    passing = ("-wal", "-shm", "lease", "lock")
    return {
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and not file.name.endswith(passing)
    }
