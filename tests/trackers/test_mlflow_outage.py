"""A real MLflow server behind a door that can be shut, fail, hang and lose answers."""

import http.client
import math
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from trackers.mlflow_client import mlflow_client
from trackers.mlflow_tracker import MlflowTracker
from trackers.records import Outcome, StudyRecord
from trackers.tracker import CellUpload

pytestmark = pytest.mark.slow

MakeUpload = Callable[..., CellUpload]
MakeStudy = Callable[..., StudyRecord]
Stored = Callable[[str, str], dict[str, Any]]


class Door(ThreadingHTTPServer):
    """Passes requests on to a server, in one of several moods."""

    daemon_threads = True

    def __init__(self, port: int, *, server: str) -> None:
        super().__init__(("127.0.0.1", port), Visit)
        self.behind = urlsplit(server).netloc
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.mood = "open"  # or "failing", "hanging", "losing first answers"
        self.lost: set[str] = set()
        self.release = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.release.set()
        self.shutdown()
        self.server_close()


class Visit(BaseHTTPRequestHandler):
    server: Door

    def pass_on(self) -> None:
        mood = self.server.mood
        if mood == "hanging":
            self.server.release.wait()
        if mood == "failing":
            self.send_error(500)
            return
        length = int(self.headers.get("Content-Length", 0))
        behind = http.client.HTTPConnection(self.server.behind, timeout=60)
        headers = {**self.headers, "Host": self.server.behind}
        behind.request(self.command, self.path, self.rfile.read(length), headers)
        answer = behind.getresponse()
        content = answer.read()
        behind.close()
        request = f"{self.command} {urlsplit(self.path).path}"
        if mood == "losing first answers" and request not in self.server.lost:
            self.server.lost.add(request)
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type", ""))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def door(server: tuple[Path, str]) -> Iterator[Door]:
    opened = Door(0, server=server[1])
    yield opened
    opened.close()


@pytest.fixture
def make_tracker(tmp_path: Path) -> Iterator[Callable[[str], MlflowTracker]]:
    made = []

    def make(uri: str) -> MlflowTracker:
        folder = tmp_path / "artifacts"
        made.append(MlflowTracker(uri, folder, first_delay_s=0.05, longest_delay_s=0.2))
        return made[-1]

    yield make
    for each in made:
        each.close()


def snapshots(make_upload: MakeUpload, files: dict[str, Any]) -> list[CellUpload]:
    """Return a study's snapshots as they come up, the last one of each cell last."""
    odd = {"val/iou": 0.5, "val/none": math.nan}
    return [
        make_upload("a1", epochs=0, outcome=None),
        make_upload("a1", epochs=2, outcome=None),
        make_upload("b2", epochs=1, outcome=None),
        make_upload("b2", epochs=1, outcome=Outcome.LOST),
        make_upload("b2", epochs=3, trials=2, outcome=None),
        make_upload("a1", epochs=3, metrics=odd),
        make_upload("a1", epochs=3, metrics=odd, **files),
        make_upload("b2", epochs=3, trials=2, outcome=Outcome.INFEASIBLE),
        make_upload("c3", epochs=2, outcome=Outcome.PRUNED),
    ]


def test_a_server_that_was_down_for_the_whole_study_ends_like_one_that_was_up(
    server: tuple[Path, str],
    free_port: int,
    workspace: Path,
    make_tracker: Callable[[str], MlflowTracker],
    make_upload: MakeUpload,
    make_study: MakeStudy,
    files_of_a_cell: dict[str, Any],
    stored: Stored,
    tmp_path: Path,
) -> None:
    report = tmp_path / "report.html"
    report.write_text("<h1>Report</h1>")
    uploads = snapshots(make_upload, files_of_a_cell)
    url = f"http://127.0.0.1:{free_port}"

    down = make_tracker(url)  # nothing listens there
    undisturbed = make_tracker(f"sqlite:///{workspace}/mlflow.db")
    for upload in uploads:
        down.cell("down", upload)
        undisturbed.cell("down", upload)
        assert undisturbed.drain(60)
    for tracker in (down, undisturbed):
        tracker.study(make_study("down"), report=report)
    assert undisturbed.drain(60)
    assert not down.drain(0.3)
    down.close()

    door = Door(free_port, server=server[1])
    again = make_tracker(url)
    again.study(make_study("down"), report=report)
    for upload in {each.cell.id: each for each in uploads}.values():
        again.cell("down", upload)
    assert again.drain(60)
    expected = stored(f"sqlite:///{workspace}/mlflow.db", "down")
    assert expected.keys() == {"a1", "b2", "c3", "summary"}
    assert stored(url, "down") == expected
    door.close()


def test_what_was_queued_while_the_server_failed_is_stored_when_it_is_back(
    door: Door,
    make_tracker: Callable[[str], MlflowTracker],
    make_upload: MakeUpload,
    files_of_a_cell: dict[str, Any],
    stored: Stored,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tracker = make_tracker(door.url)
    tracker.cell("back", make_upload(epochs=1, outcome=None))
    assert tracker.drain(60)
    door.mood = "failing"
    tracker.cell("back", make_upload(epochs=2, outcome=None))
    tracker.cell("back", make_upload("b2", epochs=1, outcome=None))
    assert not tracker.drain(1)
    tracker.cell("back", make_upload(epochs=3, **files_of_a_cell))
    door.mood = "open"
    assert tracker.drain(60)
    runs = stored(door.url, "back")
    assert [step for step, _, _ in runs["a1"]["points"]["epoch"]] == [1, 2, 3]
    assert runs["a1"]["models"][0][1] == "READY"
    assert runs.keys() == {"a1", "b2"}
    told = [each for each in caplog.messages if "MLflow at" in each]
    assert ["is away" in each for each in told] == [True, False]
    assert f"MLflow at {door.url} is back; " in told[1]


def test_nobody_waits_for_a_server_that_hangs(
    door: Door,
    make_tracker: Callable[[str], MlflowTracker],
    make_upload: MakeUpload,
    make_study: MakeStudy,
    stored: Stored,
) -> None:
    door.mood = "hanging"
    tracker = make_tracker(door.url)
    for epochs in range(1, 30):
        for cell in ("a1", "b2", "c3"):
            tracker.cell("hangs", make_upload(cell, epochs=epochs, outcome=None))
    tracker.study(make_study("hangs"))
    assert not door.release.is_set()  # so no request has been answered, and all calls came back
    assert not tracker.drain(0.1)
    door.mood = "open"
    door.release.set()
    assert tracker.drain(60)
    runs = stored(door.url, "hangs")
    assert runs.keys() == {"a1", "b2", "c3", "summary"}
    assert {len(runs[cell]["points"]["epoch"]) for cell in ("a1", "b2", "c3")} == {29}


def test_an_answer_that_is_lost_leads_to_nothing_twice(
    door: Door,
    make_tracker: Callable[[str], MlflowTracker],
    make_upload: MakeUpload,
    files_of_a_cell: dict[str, Any],
    workspace: Path,
    stored: Stored,
) -> None:
    upload = make_upload(**files_of_a_cell)
    undisturbed = make_tracker(f"sqlite:///{workspace}/mlflow.db")
    undisturbed.cell("lost", upload)
    assert undisturbed.drain(60)

    door.mood = "losing first answers"
    tracker = make_tracker(door.url)
    tracker.cell("lost", upload)
    assert tracker.drain(60)
    assert {"experiments/create", "runs/create", "runs/log-batch"} < {
        each.removeprefix("POST /api/2.0/mlflow/") for each in door.lost
    }
    door.mood = "open"
    assert stored(door.url, "lost") == stored(f"sqlite:///{workspace}/mlflow.db", "lost")


def test_a_winner_whose_answers_are_lost_is_registered_once(
    door: Door,
    make_tracker: Callable[[str], MlflowTracker],
    make_upload: MakeUpload,
    make_decided: Callable[..., StudyRecord],
    files_of_a_cell: dict[str, Any],
    stored: Stored,
) -> None:
    door.mood = "losing first answers"
    tracker = make_tracker(door.url)
    tracker.study(make_decided("a1", name="won"))  # before its cell is there
    tracker.cell("won", make_upload("a1", **files_of_a_cell))
    assert tracker.drain(60)
    assert "POST /api/2.0/mlflow/model-versions/create" in door.lost
    door.mood = "open"
    client = mlflow_client(door.url)
    (version,) = client.search_model_versions("name = 'won'")
    assert client.get_registered_model("won").aliases == {"champion": version.version}
    assert version.tags["visionstudy.cell"] == "a1"
    assert stored(door.url, "won")["a1"]["name"].startswith("★ ")
