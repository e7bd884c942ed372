"""Launch a study, and then once more from every state that a kill could have left it in.

    python every_write.py STUDY.yaml FOLDER MOST LAUNCHES

MOST limits how many states are launched; of more, every second, .... A second launch of each tries
again what failed in the first.

A state is the workspace as it is just before or just after one of the process's own writes: a
commit to a database, an opened, renamed or removed file, a folder. That is what a kill leaves
behind, so each state is copied while the process holds still, and launched to the end by a process
of its own. Prints what the undisturbed study ended with, and per state where it was taken and what
was different at the end.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import sqlite3
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

import studies.running.launch as launching
from studies.running.executors import Placement
from studies.running.progress import Snapshot
from studies.running.workspace import WorkspaceFolder, open_ledger
from studies.spec.load import load_study
from studies.tree.cell_history import EVENTS_FILE
from trackers.event_log import read_events
from trackers.memory_tracker import MemoryTracker

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.truncate")
PROCESSES = 2


class Silent:
    """A view that shows nothing."""

    def update(self, snapshot: Snapshot) -> None:
        """Show nothing."""

    def say(self, message: str) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Release nothing."""


class States:
    """Copies a workspace whenever it is in a state that was not there before."""

    def __init__(self, runs: Path, into: Path) -> None:
        self._runs, self._into = runs, into
        self._known: set[str] = set()
        self._lock = threading.RLock()  # while one thread copies, no other commits
        self._is_copying = False
        self.places: list[str] = []

    def take(self, where: str) -> None:
        """Copy the workspace as it is now."""
        with self._lock:
            if self._is_copying:  # the copy's own files
                return
            self._is_copying = True
            content = self._read()
            digest = hashlib.sha256()
            for name, data in content.items():
                digest.update(f"{name} {len(data)} ".encode() + data)
            if digest.hexdigest() not in self._known:
                self._known.add(digest.hexdigest())
                _write(content, self._into / f"{len(self.places):04d}" / "runs")
                self.places.append(where)
            self._is_copying = False

    def watch(self) -> None:
        """Take a state before and after each write of this process from now on."""
        sys.addaudithook(self._hear)
        commit, open_file = DefaultDialect.do_commit, io.open

        def do_commit(dialect: DefaultDialect, connection: Any) -> None:
            with self._lock:
                self.take("before a commit")
                commit(dialect, connection)  # type: ignore[no-untyped-call]
                self.take("after a commit")

        def opened(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            stream = open_file(file, mode, *arguments, **named)
            if "w" in mode and str(file).startswith(str(self._runs)):
                self.take(f"emptied {Path(file).name}")
            return stream

        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
        io.open = opened  # what pathlib calls

    def _hear(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "open" and not arguments[2] & WRITING:
            return
        if name in CHANGES or name == "open":
            path = str(arguments[0])
            if path.startswith(str(self._runs)):
                self.take(f"{name} {Path(path).name}")

    def _read(self) -> dict[str, bytes]:
        """Return what every file holds; folders end in a slash."""
        found = {}
        for file in sorted(self._runs.rglob("*")):
            name = str(file.relative_to(self._runs))
            if file.is_dir():
                found[f"{name}/"] = b""
            elif not name.endswith("-shm"):  # no part of what a kill leaves: it is memory
                with contextlib.suppress(FileNotFoundError):  # another thread's, gone meanwhile
                    found[name] = file.read_bytes()
        return found


def _write(content: Mapping[str, bytes], folder: Path) -> None:
    for name, data in content.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _keep_the_log_short(connection: sqlite3.Connection, _record: object) -> None:
    """Have SQLite move its log into the file now and then, as it would in a long study."""
    connection.execute("PRAGMA wal_autocheckpoint = 30")
    connection.execute("PRAGMA synchronous = OFF")  # a killed process leaves what it wrote


def run(study: Path, runs: Path) -> dict[str, Any]:
    """Launch to the end, so many times; return what a study comes down to."""
    place = WorkspaceFolder(runs)
    loaded = load_study(study)
    placement = Placement(executor="inline")
    tracker = MemoryTracker()
    for _ in range(int(sys.argv[4])):
        result = launching.launch(
            loaded, place, placement=placement, tracker=tracker, view=Silent()
        )
    ledger = open_ledger(place)
    name = loaded.spec.study
    trials = ledger.trials(name)
    epochs: dict[str, list[int]] = {}
    for trial in trials:
        events, _ = read_events(runs / trial["folder"] / EVENTS_FILE)
        said = [each.fields["epoch"] for each in events if each.name == "epoch"]
        epochs.setdefault(trial["cell"], []).extend(said)
    end = {
        "finished": result.end.is_finished,
        "cells": [
            [row["id"], row["outcome"], row["metrics"], row["source"]]
            for row in ledger.cells(name)
        ],
        "stages": [
            [stage.name, [list(each.winners) for each in stage.decisions]]
            for stage in ledger.stage_records(name)
        ],
        "proposals": ledger.proposals(name),
        "test scores": {
            cell: row["outcome"] for cell, row in sorted(ledger.test_scores(name).items())
        },
        "complete trials": Counter(
            row["cell"] for row in trials if row["outcome"] in ("complete", "pruned")
        ),
        "epochs": epochs,
    }
    ledger.close()
    return json.loads(json.dumps(end, sort_keys=True))  # type: ignore[no-any-return]


def in_a_fork(file: Path, work: Callable[[], object]) -> int:
    """Do something in a process of its own that writes what it returns; return its id."""
    child = os.fork()
    if child:
        return child
    try:
        file.write_text(json.dumps(work()))
    except BaseException:  # noqa: BLE001  # whatever it was, it belongs into the report
        file.write_text(json.dumps({"error": traceback.format_exc()}))
    os._exit(0)


def relaunch(study: Path, runs: Path) -> dict[str, Any]:
    """Launch a state to the end, and leave nothing of it: it would be gigabytes."""
    # Five megabytes each, which no later write depends on.
    setattr(launching, "write_report", lambda _record, file: file.write_text(""))  # noqa: B010
    end = run(study, runs)
    shutil.rmtree(runs)
    return end


def record(study: Path, folder: Path) -> list[str]:
    """Launch with every state copied; return where each was taken."""
    runs = folder / "recorded" / "runs"
    runs.mkdir(parents=True)
    states = States(runs, folder)
    states.watch()
    run(study, runs)
    return states.places


def main(study: Path, folder: Path, most: int) -> None:
    """Print the report as JSON."""
    event.listen(Engine, "connect", _keep_the_log_short)
    setattr(os, "fsync", lambda _: None)  # noqa: B010  # as above
    (folder / "undisturbed" / "runs").mkdir(parents=True)
    expected = run(study, folder / "undisturbed" / "runs")
    os.waitpid(in_a_fork(folder / "places.json", lambda: record(study, folder)), 0)
    places = json.loads((folder / "places.json").read_text())
    if "error" in places:
        sys.exit(places["error"])
    chosen = range(0, len(places), -(-len(places) // most))
    waiting, running = list(chosen), 0
    while waiting or running:
        if waiting and running < PROCESSES:
            state = folder / f"{waiting.pop(0):04d}"
            in_a_fork(state / "end.json", lambda at=state: relaunch(study, at / "runs"))  # type: ignore[misc]
            running += 1
        else:
            os.wait()
            running -= 1
    found = {}
    for number in chosen:
        end = json.loads((folder / f"{number:04d}" / "end.json").read_text())
        changed = {key: end.get(key) for key in expected if end.get(key) != expected[key]}
        found[number] = {"where": places[number], "changed": changed, "error": end.get("error")}
    print(json.dumps({"expected": expected, "states": len(places), "relaunched": found}))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
