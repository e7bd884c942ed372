"""One file from a server that fails in every way."""

import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.download.checksums import Checksum
from data_pipeline.download.errors import (
    AbsentError,
    ChecksumError,
    NoSpaceError,
    RefusedError,
    UnreachableError,
)
from data_pipeline.download.patience import Patience
from data_pipeline.download.remote_file import RemoteFile
from data_pipeline.download.transfer import Arrived, Fetcher

PATH = "/train/000002b66c9c498e.jpg"
CONTENT = bytes(range(251)) * 1000  # 251 kB, no two pieces of 1024 alike
FETCH_ONE = """
import sys
from pathlib import Path
from data_pipeline.download.patience import Patience
from data_pipeline.download.remote_file import RemoteFile
from data_pipeline.download.transfer import Fetcher
Fetcher(Patience()).fetch(RemoteFile("a", sys.argv[1], 0), Path(sys.argv[2]))
"""


@pytest.fixture
def fetch(server: Any, patience: Patience, tmp_path: Path) -> Callable[..., Arrived]:
    """Fetch the file to `tmp_path / "file"`."""
    server.files[PATH] = CONTENT

    def run(checksum: Checksum | None = None, **changes: Any) -> Arrived:
        fetcher = Fetcher(replace(patience, **changes))
        try:
            remote = RemoteFile("file", server.url(PATH), len(CONTENT), checksum)
            return fetcher.fetch(remote, tmp_path / "file")
        finally:
            fetcher.close()

    return run


def md5(content: bytes) -> Checksum:
    return Checksum("md5", hashlib.md5(content).hexdigest())


def test_a_file_arrives_whole_and_leaves_nothing_beside_it(
    fetch: Callable[..., Arrived], tmp_path: Path
) -> None:
    assert fetch() == Arrived(len(CONTENT), md5(CONTENT))
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_truncated_answer_is_continued_where_it_ended(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    server.faults[PATH] = ["truncate", "truncate"]
    fetch()
    assert (tmp_path / "file").read_bytes() == CONTENT
    half, quarter = len(CONTENT) // 2, len(CONTENT) // 4
    assert [each.start for each in server.bodies(PATH)] == [0, half, half + quarter]
    assert sum(each.sent for each in server.bodies(PATH)) == len(CONTENT)


def test_an_absent_file_is_asked_for_once(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    server.faults[PATH] = [404]
    with pytest.raises(AbsentError, match=r"jpg is not there \(HTTP 404\)"):
        fetch()
    assert len(server.bodies(PATH)) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_busy_twice_is_asked_a_third_time(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    server.faults[PATH] = [503, 503]
    fetch()
    assert [each.status for each in server.bodies(PATH)] == [503, 503, 200]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_that_stays_busy_is_given_up_with_a_way_on(
    fetch: Callable[..., Arrived], server: Any
) -> None:
    server.faults[PATH] = [503] * 9
    with pytest.raises(UnreachableError, match=r"in 3 attempts, the last: HTTP 503.*same command"):
        fetch()
    assert len(server.bodies(PATH)) == 3


def test_attempts_that_bring_something_new_are_not_counted(
    fetch: Callable[..., Arrived], server: Any
) -> None:
    server.faults[PATH] = ["truncate"] * 8  # each brings half of the rest
    fetch()
    assert len(server.bodies(PATH)) == 9


def test_the_wait_that_a_server_asks_for_is_kept(
    fetch: Callable[..., Arrived], server: Any
) -> None:
    server.faults[PATH] = [429]
    server.headers["Retry-After"] = "1"
    began = time.monotonic()
    fetch()
    assert time.monotonic() - began >= 1.0


def test_a_wait_that_is_too_long_is_reported(fetch: Callable[..., Arrived], server: Any) -> None:
    server.faults[PATH] = [503]
    server.headers["Retry-After"] = "86400"
    with pytest.raises(UnreachableError, match="asks to wait 86400 s"):
        fetch()


def test_a_stalled_server_is_asked_again_for_the_rest(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    server.faults[PATH] = ["stall"]
    fetch()
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [each.start for each in server.bodies(PATH)] == [0, len(CONTENT) // 2]


def test_a_damaged_file_is_fetched_afresh(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    server.faults[PATH] = ["damage"]
    fetch()
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [each.start for each in server.bodies(PATH)] == [0, 0]


def test_a_file_that_is_damaged_twice_is_an_error_with_both_checksums(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    server.faults[PATH] = ["damage", "damage"]
    damaged = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    with pytest.raises(ChecksumError) as caught:
        fetch()
    assert str(md5(CONTENT)) in str(caught.value)
    assert str(md5(damaged)) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_checksum_known_beforehand_counts_more_than_the_servers(
    fetch: Callable[..., Arrived],
) -> None:
    right = Checksum("sha256", hashlib.sha256(CONTENT).hexdigest())
    assert fetch(right).checksum == right
    with pytest.raises(ChecksumError):
        fetch(Checksum("sha256", "0" * 64))


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": '"5f3-61c"'},
        {"ETag": '"' + "0" * 32 + '"', "x-amz-server-side-encryption": "aws:kms"},
        {"ETag": ""},
    ],
)
def test_an_etag_that_is_no_md5_is_not_taken_for_one(
    fetch: Callable[..., Arrived], server: Any, headers: dict[str, str]
) -> None:
    server.headers |= headers
    assert fetch().checksum.algorithm == "sha256"


def test_googles_hash_is_checked(fetch: Callable[..., Arrived], server: Any) -> None:
    server.headers |= {"ETag": "", "x-goog-hash": "crc32c=AAAAAA==, md5=AAAAAAAAAAAAAAAAAAAAAA=="}
    with pytest.raises(ChecksumError, match="md5:0000"):
        fetch()


def test_a_server_without_ranges_sends_all_again(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    server.faults[PATH] = ["truncate"]
    server.knows_ranges = False
    fetch()
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [each.status for each in server.bodies(PATH)] == [200, 200]


def leave_half(fetch: Callable[..., Arrived], server: Any) -> None:
    server.faults[PATH] = ["truncate", 503]
    with pytest.raises(UnreachableError):
        fetch(attempts=1)


def test_what_arrived_of_a_file_that_has_changed_is_thrown_away(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    leave_half(fetch, server)
    server.files[PATH] = CONTENT[::-1]
    server.faults[PATH] = []
    fetch()
    assert (tmp_path / "file").read_bytes() == CONTENT[::-1]


def test_a_range_of_another_version_is_not_appended(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    leave_half(fetch, server)
    server.files[PATH] = CONTENT[::-1]
    server.faults[PATH] = []
    server.knows_if_range = False  # it sends the rest of what it has now
    fetch()
    assert (tmp_path / "file").read_bytes() == CONTENT[::-1]
    assert [each.status for each in server.bodies(PATH)] == [200, 206, 200]


def test_a_part_without_its_note_or_of_another_address_is_thrown_away(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    (tmp_path / "file.part").write_bytes(b"something else")
    fetch()
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.bodies(PATH)[0].start == 0


def test_a_file_without_etag_and_checksum_begins_anew(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    server.headers["ETag"] = ""
    server.faults[PATH] = ["truncate"]
    fetch()
    assert [each.start for each in server.bodies(PATH)] == [0, 0]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_kill_9_costs_nothing_that_had_arrived(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    server.pause_s = 0.03
    target = tmp_path / "file"
    part = tmp_path / "file.part"
    fetch_one = [sys.executable, "-c", FETCH_ONE, server.url(PATH), str(target)]
    process = subprocess.Popen(fetch_one, cwd=Path(__file__).resolve().parents[3])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (part.exists() and part.stat().st_size > 50_000):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    arrived = part.stat().st_size
    assert 50_000 < arrived < len(CONTENT)
    assert not target.exists()

    server.asked.clear()
    server.pause_s = 0.0
    fetch()
    assert target.read_bytes() == CONTENT
    assert [(each.start, each.sent) for each in server.bodies(PATH)] == [
        (arrived, len(CONTENT) - arrived)
    ]


def test_a_file_that_only_lacked_its_name_is_not_asked_for(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    leave_half(fetch, server)
    (tmp_path / "file.part").write_bytes(CONTENT)
    server.asked.clear()
    fetch()
    assert server.asked == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/file", "train/a.jpg"])
def test_only_web_addresses_are_fetched(patience: Patience, tmp_path: Path, url: str) -> None:
    with pytest.raises(RefusedError, match="must begin with http:// or https://"):
        Fetcher(patience).fetch(RemoteFile("file", url, 0), tmp_path / "file")


def test_a_redirect_to_a_file_of_this_machine_is_refused(
    fetch: Callable[..., Arrived], server: Any
) -> None:
    server.faults[PATH] = ["file:///etc/passwd"]
    with pytest.raises(RefusedError):
        fetch()


def test_a_redirect_to_what_is_no_address_is_refused(
    fetch: Callable[..., Arrived], server: Any
) -> None:
    server.faults[PATH] = ["http://[bad"]
    with pytest.raises(RefusedError, match="no address"):
        fetch()


def test_redirects_end(fetch: Callable[..., Arrived], server: Any) -> None:
    server.faults[PATH] = [server.url(PATH)] * 20
    with pytest.raises(RefusedError, match="redirects"):
        fetch()
    assert len(server.bodies(PATH)) == 6


def test_a_redirect_to_another_place_is_followed(
    fetch: Callable[..., Arrived], server: Any, tmp_path: Path
) -> None:
    server.files["/elsewhere"] = CONTENT
    server.faults[PATH] = [server.url("/elsewhere")]
    fetch()
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_an_encoded_answer_is_refused(fetch: Callable[..., Arrived], server: Any) -> None:
    server.headers["Content-Encoding"] = "gzip"
    with pytest.raises(RefusedError, match="encoded as gzip"):
        fetch()


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_full_disk_says_what_is_needed_and_keeps_what_arrived(
    server: Any, patience: Patience, small_disk: Callable[[int], Path], is_announced: bool
) -> None:
    server.files[PATH] = CONTENT
    if not is_announced:
        server.headers |= {"Content-Length": "", "Connection": "close"}
    folder = small_disk(128)
    fetcher = Fetcher(patience)
    with pytest.raises(NoSpaceError, match=r"needs .* more and its disk has .* free"):
        fetcher.fetch(RemoteFile("file", server.url(PATH), 0), folder / "file")
    fetcher.close()
    assert not (folder / "file").exists()
    assert (folder / "file.part").exists()
    assert ((folder / "file.part").stat().st_size == 0) == is_announced
