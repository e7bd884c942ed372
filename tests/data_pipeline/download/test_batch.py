"""Many files: in parallel, failures collected, absences counted, nothing twice."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.download import batch
from data_pipeline.download.delivery import Delivery, Request, delivery
from data_pipeline.download.errors import (
    AbsentError,
    BusyError,
    NoSpaceError,
    UnfinishedError,
)
from data_pipeline.download.licences import COCO
from data_pipeline.download.remote_file import RemoteFile
from data_pipeline.download.terms import Outcome, Terms
from data_pipeline.errors import InvalidDataError

COUNT = 20


@pytest.fixture
def remotes(server: Any) -> list[RemoteFile]:
    """Twenty small files."""
    for number in range(COUNT):
        server.files[f"/{number}.jpg"] = bytes([number]) * 1000
    return [
        RemoteFile(f"train/{number}.jpg", server.url(f"/{number}.jpg"), 1000)
        for number in range(COUNT)
    ]


@pytest.fixture
def fill(terms: Terms, watcher: Any) -> Callable[..., Outcome]:
    """Fetch files to the folder and finish it."""

    def run(remotes: list[RemoteFile], options: Any = None, **changes: Any) -> Outcome:
        request = Request("coco", COCO, options or {"n": len(remotes)})
        with delivery(request, replace(terms, **changes), watcher) as incoming:
            if incoming.finished is not None:
                return Outcome(incoming.finished, 0, 0, was_complete=True)
            here = incoming.fetch(remotes)
            return incoming.finish({"images": len(here)}, [])

    return run


def test_all_files_arrive_and_the_manifest_says_from_where(
    fill: Callable[..., Outcome], remotes: list[RemoteFile], terms: Terms, watcher: Any
) -> None:
    outcome = fill(remotes)
    for number in range(COUNT):
        assert (terms.folder / f"train/{number}.jpg").read_bytes() == bytes([number]) * 1000
    assert (outcome.files, outcome.size_bytes) == (COUNT, COUNT * 1000)
    assert (watcher.files, watcher.bytes) == (COUNT, COUNT * 1000)
    content = json.loads((terms.folder / "download.json").read_text())
    assert content["options"] == {"n": COUNT}
    assert content["counts"] == {"images": COUNT}
    assert content["licence"]["annotations"].startswith("CC BY 4.0")
    assert content["files"][3]["url"] == remotes[3].url
    assert content["files"][3]["checksum"].startswith("md5:")
    assert content["finished"].endswith("+00:00")


def test_a_second_run_asks_for_nothing(
    fill: Callable[..., Outcome], remotes: list[RemoteFile], server: Any
) -> None:
    fill(remotes)
    server.asked.clear()
    assert fill(remotes).was_complete
    assert server.asked == []


def test_a_file_that_was_lost_or_cut_is_fetched_again_and_only_that(
    fill: Callable[..., Outcome], remotes: list[RemoteFile], server: Any, terms: Terms
) -> None:
    fill(remotes)
    (terms.folder / "train/3.jpg").unlink()
    (terms.folder / "train/5.jpg").write_bytes(b"short")
    server.asked.clear()
    assert fill(remotes).files == 2
    assert {each.path for each in server.asked} == {"/3.jpg", "/5.jpg"}


def test_other_options_fetch_only_what_is_new_and_back_again_nothing(
    fill: Callable[..., Outcome], remotes: list[RemoteFile], server: Any, terms: Terms
) -> None:
    fill(remotes[:10])
    server.asked.clear()
    assert fill(remotes[5:15], options={"other": 1}).files == 5
    assert {each.path for each in server.asked} == {f"/{number}.jpg" for number in range(10, 15)}
    server.asked.clear()
    outcome = fill(remotes[:10])
    assert server.asked == []
    assert len(outcome.manifest.files) == 10
    assert len(outcome.manifest.earlier) == 5
    assert (terms.folder / "train/14.jpg").exists()


def test_a_file_that_belongs_elsewhere_now_is_renamed(
    fill: Callable[..., Outcome], remotes: list[RemoteFile], server: Any, terms: Terms
) -> None:
    fill(remotes)
    server.asked.clear()
    fill([replace(remotes[0], name="validation/0.jpg"), *remotes[1:]], options={"share": 0.5})
    assert server.asked == []
    assert not (terms.folder / "train/0.jpg").exists()
    assert (terms.folder / "validation/0.jpg").read_bytes() == bytes(1000)


def test_a_file_that_nobody_checked_is_fetched(
    fill: Callable[..., Outcome], remotes: list[RemoteFile], terms: Terms
) -> None:
    (terms.folder / "train").mkdir(parents=True)
    (terms.folder / "train/0.jpg").write_bytes(b"x" * 1000)
    fill(remotes)
    assert (terms.folder / "train/0.jpg").read_bytes() == bytes(1000)


def test_absent_files_are_counted_recorded_and_not_asked_for_again(
    fill: Callable[..., Outcome], remotes: list[RemoteFile], server: Any
) -> None:
    del server.files["/7.jpg"]
    outcome = fill(remotes)
    assert outcome.manifest.counts == {"images": COUNT - 1}
    assert [held.name for held in outcome.manifest.missing] == ["train/7.jpg"]
    server.asked.clear()
    assert fill(remotes).was_complete
    assert fill(remotes, options={"other": 1}).files == 0
    assert server.asked == []


def test_too_many_absent_files_are_an_error(
    fill: Callable[..., Outcome], remotes: list[RemoteFile], server: Any, terms: Terms
) -> None:
    del server.files["/7.jpg"], server.files["/8.jpg"]
    with pytest.raises(
        UnfinishedError, match=r"2 of 20 files are not on their server, at most 5%"
    ):
        fill(remotes)
    assert not (terms.folder / "download.json").exists()
    assert fill(remotes, most_missing=0.1).files == 0


def test_failures_are_listed_at_the_end_and_the_next_run_fetches_only_those(
    fill: Callable[..., Outcome], remotes: list[RemoteFile], server: Any, terms: Terms
) -> None:
    server.faults["/4.jpg"] = [500] * 3
    server.faults["/9.jpg"] = [403]
    with pytest.raises(UnfinishedError) as caught:
        fill(remotes)
    message = str(caught.value)
    assert "could not be fetched: 2" in message
    assert "train/4.jpg: " in message
    assert "HTTP 500" in message
    assert "HTTP 403" in message
    assert not (terms.folder / "download.json").exists()
    server.asked.clear()
    assert fill(remotes).files == 2
    assert {each.path for each in server.asked} == {"/4.jpg", "/9.jpg"}


def test_a_server_that_is_gone_is_not_asked_for_every_file(
    fill: Callable[..., Outcome],
    remotes: list[RemoteFile],
    server: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "MOST_UNREACHABLE", 3)
    for remote in remotes:
        server.faults[remote.url.removeprefix(server.address)] = [503] * 3
    with pytest.raises(UnfinishedError, match=r"were not tried"):
        fill(remotes, connections=1)
    assert len({each.path for each in server.asked}) < COUNT / 2


@pytest.mark.parametrize("name", ["../out.jpg", "/tmp/out.jpg", "a/../../out.jpg"])
def test_a_name_that_leads_out_of_the_folder_is_never_written(
    fill: Callable[..., Outcome],
    remotes: list[RemoteFile],
    terms: Terms,
    name: str,
) -> None:
    with pytest.raises(UnfinishedError, match=r"must not lead out|must be relative"):
        fill([replace(remotes[0], name=name), *remotes[1:]])
    assert not list(terms.folder.parent.glob("**/out.jpg"))
    assert not Path("/tmp/out.jpg").exists()


def test_room_is_asked_for_before_anything_is_fetched(
    fill: Callable[..., Outcome],
    remotes: list[RemoteFile],
    server: Any,
    small_disk: Callable[[int], Path],
) -> None:
    large = [replace(remote, size_bytes=100_000) for remote in remotes]
    with pytest.raises(NoSpaceError, match=r"needs 2\.0 MB more and its disk has .* kB free"):
        fill(large, folder=small_disk(256) / "dataset")
    assert server.asked == []


def test_a_disk_that_fills_up_stops_the_batch_and_more_room_lets_it_go_on(
    fill: Callable[..., Outcome],
    server: Any,
    small_disk: Callable[[int], Path],
) -> None:
    for number in range(8):
        server.files[f"/{number}.jpg"] = bytes([number]) * 40_000
    remotes = [RemoteFile(f"{n}.jpg", server.url(f"/{n}.jpg"), 1) for n in range(8)]
    folder = small_disk(256)
    with pytest.raises(NoSpaceError):
        fill(remotes, folder=folder, connections=1)
    arrived = {file.name for file in folder.glob("*.jpg")}
    assert 0 < len(arrived) < 8
    (folder / "0.jpg").unlink()
    server.asked.clear()
    assert fill(remotes[2:5], folder=folder, connections=1).manifest.counts == {"images": 3}
    assert not {each.path.strip("/") for each in server.asked} & arrived


def test_a_folder_is_filled_by_one_process_at_a_time(
    fill: Callable[..., Outcome], remotes: list[RemoteFile], terms: Terms, watcher: Any
) -> None:
    with (
        delivery(Request("coco", COCO, {}), terms, watcher),
        pytest.raises(BusyError, match="another process downloads to"),
    ):
        fill(remotes)


def test_a_folder_of_another_dataset_is_left_alone(
    fill: Callable[..., Outcome], remotes: list[RemoteFile], terms: Terms, watcher: Any
) -> None:
    fill(remotes)
    with (
        pytest.raises(InvalidDataError, match="must be empty or hold 'voc', got 'coco'"),
        delivery(Request("voc", COCO, {}), terms, watcher),
    ):
        pass


@pytest.mark.parametrize("text", ["", "[]", "{", '{"files": 1}', '{"dataset": "coco"}'])
def test_a_damaged_manifest_is_an_error_that_says_what_to_do(
    fill: Callable[..., Outcome], remotes: list[RemoteFile], terms: Terms, text: str
) -> None:
    terms.folder.mkdir()
    (terms.folder / "download.json").write_text(text)
    with pytest.raises(InvalidDataError, match=r"download\.json must be .*remove it"):
        fill(remotes)


def test_a_journal_that_a_kill_cut_short_is_read_up_to_there(
    fill: Callable[..., Outcome], remotes: list[RemoteFile], server: Any, terms: Terms
) -> None:
    with pytest.raises(UnfinishedError):
        fill([*remotes[:10], replace(remotes[0], name="x", url=server.url("/absent"))])
    journal = terms.folder / ".download/journal.jsonl"
    journal.write_text(journal.read_text()[:-20])
    server.asked.clear()
    fill(remotes[:10])
    assert len({each.path for each in server.asked}) <= 1


def test_an_absent_source_is_an_error_that_names_the_mirror_option(
    terms: Terms, watcher: Any, server: Any
) -> None:
    def source(incoming: Delivery) -> None:
        incoming.source(RemoteFile(".download/a.zip", server.url("/a.zip"), 1))

    with (
        delivery(Request("coco", COCO, {}), terms, watcher) as incoming,
        pytest.raises(AbsentError, match="--mirror"),
    ):
        source(incoming)
